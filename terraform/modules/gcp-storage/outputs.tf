output "names" {
  description = "The full name of each bucket by its short one."
  value       = { for bucket, resource in google_storage_bucket.this : bucket => resource.name }
}
