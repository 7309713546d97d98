"""Parts of the Fusara dialect: its envelope, its document, and what it has beside tasks."""
