"""Prometheus's rules as code: alerts with what makes them fire and what does not, recorded series, and objectives."""
