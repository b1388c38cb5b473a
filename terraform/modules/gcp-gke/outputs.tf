output "cluster_name" {
  description = "Name of the cluster."
  value       = google_container_cluster.this.name
}

output "workload_pool" {
  description = "By which service accounts of Kubernetes are accounts of Google."
  value       = google_container_cluster.this.workload_identity_config[0].workload_pool
}
