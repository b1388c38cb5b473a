"""Grafana's dashboards as code: panels with what they show and when to worry, and what is generated from them."""
