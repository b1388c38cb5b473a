locals {
  # One endpoint with one connection to the primary: shards are one and cluster mode is off.
  connection = google_memorystore_instance.this.endpoints[0].connections[0].psc_auto_connection[0]
}

output "host" {
  description = "Where it answers, by TLS alone."
  value       = local.connection.ip_address
}

output "port" {
  description = "Its port."
  value       = local.connection.port
}
