output "helm_values" {
  description = "What the chart must know about the cell, in the same form as cell-aws; nothing in it is secret."
  value = {
    cell   = var.name
    cloud  = "gcp"
    region = var.region
    host   = var.hostname

    postgresql = { host = module.postgresql.host, port = 5432 }
    valkey     = { host = module.valkey.host, port = module.valkey.port, tls = true }
    kafka      = { bootstrapServers = var.kafka_bootstrap_servers }

    services = {
      for name, service in module.platform.services : name => {
        secret      = module.secrets.names[name]
        annotations = { "iam.gke.io/gcp-service-account" = module.identity.emails[name] }
        environment = service.bucket == null ? {} : { (service.bucket.setting) = "gs://${module.storage.names[service.bucket.name]}" }
      }
    }
  }
}

output "cluster_name" {
  description = "Name of the cluster, for whoever deploys to it."
  value       = module.cluster.cluster_name
}

output "registry" {
  description = "What images' names begin with."
  value       = module.registry.address
}

output "lake_dataset" {
  description = "The data set that analysts ask."
  value       = module.lake.dataset
}
