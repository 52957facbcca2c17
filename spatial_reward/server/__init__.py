"""A server for models: HTTP and WebSocket, with batches across clients, limits, and metrics."""
