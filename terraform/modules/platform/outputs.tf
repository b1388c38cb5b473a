output "services" {
  description = "By service: its processes, the variables' prefix, its bucket with the setting that names it, and how it uses it."
  value       = local.platform.services
}

output "buckets" {
  description = "The buckets that the services keep objects in, by their short names."
  value       = toset([for service in local.platform.services : service.bucket.name if service.bucket != null])
}
