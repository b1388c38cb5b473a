# The lake is read where it lies: BigQuery keeps no copy and is paid for what a question reads.
resource "google_bigquery_dataset" "lake" {
  project                    = var.project
  dataset_id                 = replace("${var.name}_lake", "-", "_")
  location                   = var.location
  description                = "Every event as it lies in the lake, under pseudonyms"
  delete_contents_on_destroy = false

  default_encryption_configuration {
    kms_key_name = var.key_id
  }
}

resource "google_bigquery_table" "event" {
  for_each = var.events

  project             = var.project
  dataset_id          = google_bigquery_dataset.lake.dataset_id
  table_id            = replace(each.key, "/[.-]/", "_")
  description         = "Events of the type ${each.key}: join _FILE_NAME with the newest manifests, other files do not count"
  deletion_protection = true

  external_data_configuration {
    autodetect    = true
    source_format = "PARQUET"
    source_uris   = ["gs://${var.bucket}/type=${each.key}/*"]

    hive_partitioning_options {
      mode                     = "AUTO"
      source_uri_prefix        = "gs://${var.bucket}/type=${each.key}/"
      require_partition_filter = true
    }
  }

  encryption_configuration {
    kms_key_name = var.key_id
  }
}

# Which files of a date count: the last manifest of the date says it.
resource "google_bigquery_table" "manifests" {
  project             = var.project
  dataset_id          = google_bigquery_dataset.lake.dataset_id
  table_id            = "manifests"
  description         = "By date, the files that hold; the last manifest by its name counts"
  deletion_protection = true

  external_data_configuration {
    autodetect    = true
    source_format = "NEWLINE_DELIMITED_JSON"
    source_uris   = ["gs://${var.bucket}/manifests/*"]

    hive_partitioning_options {
      mode              = "AUTO"
      source_uri_prefix = "gs://${var.bucket}/manifests/"
    }
  }

  encryption_configuration {
    kms_key_name = var.key_id
  }
}
