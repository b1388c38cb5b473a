output "names" {
  description = "The id of each secret by its service."
  value       = { for secret, resource in google_secret_manager_secret.this : secret => resource.secret_id }
}
