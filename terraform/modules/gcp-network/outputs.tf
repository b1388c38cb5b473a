output "network_id" {
  description = "The network, once databases can have addresses in it."
  value       = google_compute_network.this.id

  depends_on = [google_service_networking_connection.private, google_network_connectivity_service_connection_policy.valkey]
}

output "subnetwork_id" {
  description = "Where nodes run."
  value       = google_compute_subnetwork.nodes.id
}
