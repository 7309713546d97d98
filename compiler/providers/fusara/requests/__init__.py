"""Request models of Fusara, word for word from its documentation: one for each `__type`, by family."""
