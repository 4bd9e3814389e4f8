"""The pure core: the definition, the state of a stream and its fold, the machine and its guards, `decide`."""
