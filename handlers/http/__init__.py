"""The HTTP service: the routes of the interface, who may use them, how much, and what they answer when they cannot.

`app.make` gives the ASGI application of a `handlers.service.Service`; `server.HttpServer` serves it on a socket.
Whatever arrives is recorded through the service's intake, whatever is asked is answered by its reader.
"""
