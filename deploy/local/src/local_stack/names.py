"""What a service is called where a hyphen may not stand: as a Python package, in PostgreSQL, in variables."""


def import_name(service: str) -> str:
    """The name of a service's package, which its database, roles and variables have too: `ml_scoring` of `ml-scoring`."""
    return service.replace("-", "_")
