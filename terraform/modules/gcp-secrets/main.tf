# Places for secrets and no values: those are written by an operator or by a rotation and never pass through Terraform's state.
resource "google_secret_manager_secret" "this" {
  for_each = var.secrets

  project             = var.project
  secret_id           = "${var.name}-${each.key}"
  version_destroy_ttl = "2592000s"

  replication {
    user_managed {
      replicas {
        location = var.region

        customer_managed_encryption {
          kms_key_name = var.key_id
        }
      }
    }
  }
}
