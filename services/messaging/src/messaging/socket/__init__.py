"""The socket process: people's open connections, to which everything that concerns them is pushed as it happens."""
