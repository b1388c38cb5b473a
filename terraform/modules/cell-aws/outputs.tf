output "helm_values" {
  description = "What the chart must know about the cell; nothing in it is secret."
  value = {
    cell   = var.name
    cloud  = "aws"
    region = var.region
    host   = var.hostname

    postgresql = { host = module.postgresql.host, port = module.postgresql.port }
    valkey     = { host = module.valkey.host, port = module.valkey.port, tls = true }
    kafka      = { bootstrapServers = var.kafka_bootstrap_servers }

    services = {
      for name, service in module.platform.services : name => {
        secret      = module.secrets.names[name]
        annotations = { "eks.amazonaws.com/role-arn" = module.identity.role_arns[name] }
        environment = service.bucket == null ? {} : merge(
          { (service.bucket.setting) = "s3://${module.storage.names[service.bucket.name]}" },
          { (service.bucket.region_setting) = var.region },
        )
      }
    }
  }
}

output "cluster_name" {
  description = "Name of the cluster, for whoever deploys to it."
  value       = module.cluster.cluster_name
}

output "admin_secret_arn" {
  description = "The secret of the database's administrator, for whoever makes the services' databases and roles."
  value       = module.postgresql.admin_secret_arn
}

output "alarm_topic_arn" {
  description = "Where alarms of what AWS runs are heard."
  value       = module.observability.alarm_topic_arn
}

output "copy_vault_arn" {
  description = "Where the backups of the backup region are."
  value       = module.backup.copy_vault_arn
}
