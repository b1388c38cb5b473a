output "dataset" {
  description = "The data set that analysts ask."
  value       = google_bigquery_dataset.lake.dataset_id
}
