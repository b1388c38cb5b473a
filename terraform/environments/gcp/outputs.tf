output "helm_values" {
  description = "What the chart must know about the cell: terraform output -json helm_values."
  value       = module.cell.helm_values
}

output "cluster_name" {
  description = "Name of the cluster, for whoever deploys to it."
  value       = module.cell.cluster_name
}

output "registry" {
  description = "What images' names begin with."
  value       = module.cell.registry
}

output "lake_dataset" {
  description = "The data set that analysts ask."
  value       = module.cell.lake_dataset
}
