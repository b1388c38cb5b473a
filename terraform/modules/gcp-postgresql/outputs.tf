output "host" {
  description = "Its address in the network."
  value       = google_sql_database_instance.this.private_ip_address
}

output "connection_name" {
  description = "What Google's connector knows it by."
  value       = google_sql_database_instance.this.connection_name
}
