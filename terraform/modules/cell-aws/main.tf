# A cell is a whole platform for some tenants: what breaks in it breaks in it alone.
module "platform" {
  source = "../platform"
}

module "keys" {
  source = "../aws-keys"

  name     = var.name
  purposes = ["data", "backup"]
}

module "backup_keys" {
  source = "../aws-keys"

  providers = {
    aws = aws.backup
  }

  name     = var.name
  purposes = ["copies"]
}

module "network" {
  source = "../aws-network"

  name            = var.name
  key_arn         = module.keys.arns["data"]
  cidr            = var.cidr
  one_nat_gateway = var.one_nat_gateway
}

module "cluster" {
  source = "../aws-eks"

  name           = var.name
  key_arn        = module.keys.arns["data"]
  subnets        = module.network.node_subnets
  nodes          = var.nodes
  administrators = var.administrators
}

module "postgresql" {
  source = "../aws-postgresql"

  providers = {
    aws        = aws
    aws.backup = aws.backup
  }

  name                     = var.name
  key_arn                  = module.keys.arns["data"]
  backup_key_arn           = module.backup_keys.arns["copies"]
  vpc_id                   = module.network.vpc_id
  subnets                  = module.network.data_subnets
  client_security_group_id = module.cluster.security_group_id
  instance_class           = var.database.instance_class
  storage_gib              = var.database.storage_gib
}

module "valkey" {
  source = "../aws-valkey"

  name                     = var.name
  key_arn                  = module.keys.arns["data"]
  vpc_id                   = module.network.vpc_id
  subnets                  = module.network.data_subnets
  client_security_group_id = module.cluster.security_group_id
  node_type                = var.cache_node_type
  auth_token               = var.valkey_auth_token
}

module "documents" {
  source = "../aws-dynamodb"

  name    = var.name
  key_arn = module.keys.arns["data"]
}

module "storage" {
  source = "../aws-storage"

  providers = {
    aws        = aws
    aws.backup = aws.backup
  }

  name            = var.name
  key_arn         = module.keys.arns["data"]
  backup_key_arn  = module.backup_keys.arns["copies"]
  buckets         = setunion(module.platform.buckets, ["lab-results"])
  allowed_origins = ["https://${var.hostname}"]
}

module "lab_results" {
  source = "../aws-lab-results"

  name    = var.name
  key_arn = module.keys.arns["data"]
  package = var.lab_results_package
  vpc_id  = module.network.vpc_id
  subnets = module.network.node_subnets
  bucket  = { name = module.storage.names["lab-results"], arn = module.storage.arns["lab-results"] }
  table   = { name = module.documents.table, arn = module.documents.arn }
}

module "secrets" {
  source = "../aws-secrets"

  name    = var.name
  key_arn = module.keys.arns["data"]
  secrets = toset(keys(module.platform.services))
}

module "identity" {
  source = "../aws-identity"

  name              = var.name
  oidc_provider_arn = module.cluster.oidc_provider_arn
  oidc_issuer       = module.cluster.oidc_issuer
  services = {
    for name, service in module.platform.services : name => {
      secret_arn = module.secrets.arns[name]
      key_arns   = [module.keys.arns["data"]]
      bucket     = service.bucket == null ? null : { arn = module.storage.arns[service.bucket.name], writes = service.bucket.writes }
    }
  }
}

module "observability" {
  source = "../aws-observability"

  name                 = var.name
  key_arn              = module.keys.arns["data"]
  database             = module.postgresql.identifier
  database_storage_gib = var.database.storage_gib
  cache_nodes          = module.valkey.nodes
  table                = module.documents.table
  function             = module.lab_results.function
  failed_queue         = module.lab_results.failed_queue
}

module "backup" {
  source = "../aws-backup"

  providers = {
    aws        = aws
    aws.backup = aws.backup
  }

  name           = var.name
  key_arn        = module.keys.arns["backup"]
  backup_key_arn = module.backup_keys.arns["copies"]
}
