"""What the house's own API is made of: templates described, bodies read, jobs told as events."""
