# us.<domain> and eu.<domain> are CloudFront; behind each, origin.us.<domain> is the cell that answers, or the one that stands by for
# it in the same jurisdiction. No record leads from one jurisdiction to another: an outage must not move health data abroad.
locals {
  jurisdictions = toset([for cell in var.cells : cell.jurisdiction])
  origins       = { for jurisdiction in local.jurisdictions : jurisdiction => "origin.${jurisdiction}.${var.domain}" }
  hosts         = { for jurisdiction in local.jurisdictions : jurisdiction => "${jurisdiction}.${var.domain}" }
}

resource "aws_route53_zone" "this" {
  name = var.domain
}

resource "aws_route53_health_check" "cell" {
  for_each = var.cells

  fqdn              = each.value.gateway
  type              = "HTTPS"
  port              = 443
  resource_path     = "/health"
  request_interval  = 10
  failure_threshold = 3
  measure_latency   = true

  tags = { Name = each.key }
}

resource "aws_route53_record" "origin" {
  for_each = var.cells

  zone_id         = aws_route53_zone.this.zone_id
  name            = local.origins[each.value.jurisdiction]
  type            = "CNAME"
  ttl             = 30
  records         = [each.value.gateway]
  set_identifier  = each.key
  health_check_id = aws_route53_health_check.cell[each.key].id

  failover_routing_policy {
    type = each.value.standby ? "SECONDARY" : "PRIMARY"
  }
}

resource "aws_acm_certificate" "host" {
  for_each = local.hosts

  domain_name       = each.value
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "certificate" {
  for_each = local.hosts

  zone_id = aws_route53_zone.this.zone_id
  name    = one(aws_acm_certificate.host[each.key].domain_validation_options).resource_record_name
  type    = one(aws_acm_certificate.host[each.key].domain_validation_options).resource_record_type
  records = [one(aws_acm_certificate.host[each.key].domain_validation_options).resource_record_value]
  ttl     = 300
}

resource "aws_acm_certificate_validation" "host" {
  for_each = local.hosts

  certificate_arn         = aws_acm_certificate.host[each.key].arn
  validation_record_fqdns = [aws_route53_record.certificate[each.key].fqdn]
}

resource "aws_route53_record" "host" {
  for_each = local.hosts

  zone_id = aws_route53_zone.this.zone_id
  name    = each.value
  type    = "A"

  alias {
    name                   = aws_cloudfront_distribution.this[each.key].domain_name
    zone_id                = aws_cloudfront_distribution.this[each.key].hosted_zone_id
    evaluate_target_health = false
  }
}
