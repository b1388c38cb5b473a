# platform.json is written by `make events` from the local stack's table of processes: what a cell must offer, said once.
locals {
  platform = jsondecode(file("${path.module}/platform.json"))
}
