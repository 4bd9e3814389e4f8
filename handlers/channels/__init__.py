"""Alert channels: how a person learns that something is wrong, and that nobody would.

`messages` says what is told, `slack` and `webhook` are places to tell it, `alerts` tells every alert to all of them and
loses none, `wiring` makes them from the settings.
"""
