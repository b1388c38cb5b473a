module bloom.example/cluster/crds

go 1.26.8

require (
	github.com/argoproj/argo-cd/v3 v3.1.8
	github.com/external-secrets/external-secrets v0.16.2
	github.com/kedacore/keda/v2 v2.17.2
	github.com/prometheus-operator/prometheus-operator v0.83.0
	istio.io/api v1.27.1
	sigs.k8s.io/gateway-api v1.3.0
)
