"""The contract between Bloom's services: every event, its envelope and the topic that carries it."""
