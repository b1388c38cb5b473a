resource "google_sql_database_instance" "this" {
  project             = var.project
  name                = var.name
  region              = var.region
  database_version    = "POSTGRES_17"
  encryption_key_name = var.key_id
  deletion_protection = true

  settings {
    edition                     = "ENTERPRISE"
    tier                        = var.tier
    availability_type           = "REGIONAL"
    disk_type                   = "PD_SSD"
    disk_size                   = var.storage_gib
    disk_autoresize             = true
    deletion_protection_enabled = true

    ip_configuration {
      ipv4_enabled    = false
      private_network = var.network_id
      ssl_mode        = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      location                       = var.backup_location
      start_time                     = "03:00"
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = 7

      backup_retention_settings {
        retained_backups = 35
        retention_unit   = "COUNT"
      }
    }

    maintenance_window {
      day          = 7
      hour         = 4
      update_track = "stable"
    }

    insights_config {
      query_insights_enabled  = true
      record_application_tags = false
      record_client_address   = false
    }

    # As on AWS: neither errors nor statements show a row's values.
    dynamic "database_flags" {
      for_each = {
        log_checkpoints               = "on"
        log_connections               = "on"
        log_disconnections            = "on"
        log_lock_waits                = "on"
        log_error_verbosity           = "terse"
        log_min_error_statement       = "panic"
        "cloudsql.iam_authentication" = "on"
      }

      content {
        name  = database_flags.key
        value = database_flags.value
      }
    }
  }
}
