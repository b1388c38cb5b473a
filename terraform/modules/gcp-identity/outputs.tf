output "emails" {
  description = "The account of each service."
  value       = { for service, account in google_service_account.service : service => account.email }
}
