resource "google_service_account" "service" {
  for_each = var.services

  project      = var.project
  account_id   = "${var.name}-${each.key}"
  display_name = each.key
}

# The service's own account of Kubernetes in its own namespace, and no other.
resource "google_service_account_iam_member" "workload" {
  for_each = var.services

  service_account_id = google_service_account.service[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.workload_pool}[${var.namespace}/${each.key}]"
}

resource "google_secret_manager_secret_iam_member" "own" {
  for_each = var.services

  project   = var.project
  secret_id = each.value.secret
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.service[each.key].member
}

resource "google_storage_bucket_iam_member" "own" {
  for_each = { for name, service in var.services : name => service.bucket if service.bucket != null }

  bucket = each.value.name
  role   = each.value.writes ? "roles/storage.objectUser" : "roles/storage.objectViewer"
  member = google_service_account.service[each.key].member
}
