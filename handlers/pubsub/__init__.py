"""Pub/Sub: messages come in by streaming pull, commands go out by confirmed publishes, topics are kept as definitions
want them, and what could not be delivered is looked at and delivered again (docs/pubsub.md)."""
