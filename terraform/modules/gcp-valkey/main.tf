resource "google_memorystore_instance" "this" {
  project                 = var.project
  instance_id             = var.name
  location                = var.region
  engine_version          = "VALKEY_8_0"
  mode                    = "CLUSTER_DISABLED"
  node_type               = var.node_type
  shard_count             = 1
  replica_count           = 1
  transit_encryption_mode = "SERVER_AUTHENTICATION"
  # Its only other mode asks for tokens that expire within the hour, which the services cannot renew: the network keeps others out.
  authorization_mode          = "AUTH_DISABLED"
  deletion_protection_enabled = true

  engine_configs = {
    maxmemory-policy = "volatile-lru"
  }

  desired_auto_created_endpoints {
    network    = var.network_id
    project_id = var.project
  }

  zone_distribution_config {
    mode = "MULTI_ZONE"
  }
}
