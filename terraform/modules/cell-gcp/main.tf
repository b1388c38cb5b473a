# The same cell on the other cloud: the services see PostgreSQL, Valkey, Kafka and buckets, and not whose they are.
module "platform" {
  source = "../platform"
}

data "google_project" "this" {
  project_id = var.project
}

locals {
  agent = "serviceAccount:service-${data.google_project.this.number}@"
  # The accounts by which products of Google encrypt and decrypt on the cell's behalf.
  encrypting = toset([
    "${local.agent}container-engine-robot.iam.gserviceaccount.com",
    "${local.agent}gcp-sa-cloud-sql.iam.gserviceaccount.com",
    "${local.agent}gs-project-accounts.iam.gserviceaccount.com",
    "${local.agent}gcp-sa-artifactregistry.iam.gserviceaccount.com",
    "${local.agent}gcp-sa-secretmanager.iam.gserviceaccount.com",
  ])
  places = {
    us = { objects = "NAM4", keys = "us", lake = "US" }
    eu = { objects = "EUR4", keys = "europe", lake = "EU" }
  }
  place = local.places[var.jurisdiction]
}

module "keys" {
  source = "../gcp-keys"

  project = var.project
  name    = var.name
  region  = var.region
  users   = local.encrypting
}

# What lies in two regions or in all of a jurisdiction needs a key that does so too.
module "wide_keys" {
  source = "../gcp-keys"

  project = var.project
  name    = "${var.name}-wide"
  region  = local.place.keys
  users   = local.encrypting
}

module "network" {
  source = "../gcp-network"

  project = var.project
  name    = var.name
  region  = var.region
}

module "cluster" {
  source = "../gcp-gke"

  project             = var.project
  name                = var.name
  region              = var.region
  key_id              = module.keys.key_id
  network_id          = module.network.network_id
  subnetwork_id       = module.network.subnetwork_id
  administrators_cidr = var.administrators_cidr
}

module "postgresql" {
  source = "../gcp-postgresql"

  project         = var.project
  name            = var.name
  region          = var.region
  key_id          = module.keys.key_id
  network_id      = module.network.network_id
  tier            = var.database.tier
  storage_gib     = var.database.storage_gib
  backup_location = var.jurisdiction
}

module "valkey" {
  source = "../gcp-valkey"

  project    = var.project
  name       = var.name
  region     = var.region
  network_id = module.network.network_id
  node_type  = var.cache_node_type
}

module "storage" {
  source = "../gcp-storage"

  project  = var.project
  name     = var.name
  location = local.place.objects
  key_id   = module.wide_keys.key_id
  buckets  = module.platform.buckets
}

module "registry" {
  source = "../gcp-registry"

  project = var.project
  name    = var.name
  region  = var.region
  key_id  = module.keys.key_id
}

module "secrets" {
  source = "../gcp-secrets"

  project = var.project
  name    = var.name
  region  = var.region
  key_id  = module.keys.key_id
  secrets = toset(keys(module.platform.services))
}

module "identity" {
  source = "../gcp-identity"

  project       = var.project
  name          = var.name
  workload_pool = module.cluster.workload_pool
  services = {
    for name, service in module.platform.services : name => {
      secret = module.secrets.names[name]
      bucket = service.bucket == null ? null : { name = module.storage.names[service.bucket.name], writes = service.bucket.writes }
    }
  }
}

module "lake" {
  source = "../gcp-lake"

  project  = var.project
  name     = var.name
  location = local.place.lake
  key_id   = module.wide_keys.key_id
  bucket   = module.storage.names["lake"]
  events   = var.events
}
