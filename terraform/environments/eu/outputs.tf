output "helm_values" {
  description = "What the chart must know about the cell: terraform output -json helm_values."
  value       = module.cell.helm_values
}

output "cluster_name" {
  description = "Name of the cluster, for whoever deploys to it."
  value       = module.cell.cluster_name
}

output "admin_secret_arn" {
  description = "The secret of the database's administrator."
  value       = module.cell.admin_secret_arn
}

output "alarm_topic_arn" {
  description = "Where alarms of what AWS runs are heard."
  value       = module.cell.alarm_topic_arn
}

output "copy_vault_arn" {
  description = "Where the copies of backups are."
  value       = module.cell.copy_vault_arn
}
