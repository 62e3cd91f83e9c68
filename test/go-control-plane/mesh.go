package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	router "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	routesName            = "routes"
	defaultConnectTimeout = time.Second
	// Thresholds have no off switch.
	noLimit = 1_000_000_000
)

// mesh is the desired state in the few words that tests and benchmarks change.
type mesh struct {
	endpoints      []*core.Address
	ports          []uint32
	connectTimeout time.Duration
	// Of every endpoint.
	zone string
	// By cluster name; only those that differ from the rest.
	endpointOf map[string]*core.Address
	clusters   []string
	// The cluster of each virtual host, by its number.
	hosts []string
}

func newMesh(endpoints []string, listenerPorts string) (*mesh, error) {
	made := &mesh{connectTimeout: defaultConnectTimeout, zone: "zone-1", endpointOf: map[string]*core.Address{}}
	for _, text := range endpoints {
		address, err := parseAddress(text)
		if err != nil {
			return nil, err
		}
		made.endpoints = append(made.endpoints, address)
	}
	for _, text := range strings.FieldsFunc(listenerPorts, func(char rune) bool { return char == ',' }) {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%q is not a port", text)
		}
		made.ports = append(made.ports, uint32(port))
	}
	return made, nil
}

func parseAddress(text string) (*core.Address, error) {
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address: %w", text, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%q is not a port", portText)
	}
	return socketAddress(host, uint32(port)), nil
}

// resize sets the number of clusters and hosts; hosts go round the clusters.
func (m *mesh) resize(clusters, hosts int) {
	m.clusters = make([]string, clusters)
	for index := range m.clusters {
		m.clusters[index] = fmt.Sprintf("service-%d", index)
	}
	m.hosts = make([]string, hosts)
	for index := range m.hosts {
		m.hosts[index] = fmt.Sprintf("service-%d", index%max(1, clusters))
	}
}

func (m *mesh) cluster(name string) *cluster.Cluster {
	thresholds := func(priority core.RoutingPriority) *cluster.CircuitBreakers_Thresholds {
		return &cluster.CircuitBreakers_Thresholds{
			Priority:           priority,
			MaxConnections:     wrapperspb.UInt32(noLimit),
			MaxPendingRequests: wrapperspb.UInt32(noLimit),
			MaxRequests:        wrapperspb.UInt32(noLimit),
			MaxRetries:         wrapperspb.UInt32(noLimit),
		}
	}
	return &cluster.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_EDS},
		EdsClusterConfig:     &cluster.Cluster_EdsClusterConfig{EdsConfig: overADS(), ServiceName: name},
		ConnectTimeout:       durationpb.New(m.connectTimeout),
		CircuitBreakers: &cluster.CircuitBreakers{Thresholds: []*cluster.CircuitBreakers_Thresholds{
			thresholds(core.RoutingPriority_DEFAULT), thresholds(core.RoutingPriority_HIGH),
		}},
	}
}

func (m *mesh) assignment(name string) *endpoint.ClusterLoadAssignment {
	addresses := m.endpoints
	if own, found := m.endpointOf[name]; found {
		addresses = []*core.Address{own}
	}
	endpoints := make([]*endpoint.LbEndpoint, len(addresses))
	for index, address := range addresses {
		endpoints[index] = &endpoint.LbEndpoint{
			HostIdentifier:      &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{Address: address}},
			LoadBalancingWeight: wrapperspb.UInt32(1),
		}
	}
	return &endpoint.ClusterLoadAssignment{
		ClusterName: name,
		Endpoints: []*endpoint.LocalityLbEndpoints{{
			Locality:            &core.Locality{Region: "region-1", Zone: m.zone},
			LbEndpoints:         endpoints,
			LoadBalancingWeight: wrapperspb.UInt32(uint32(len(addresses))),
		}},
	}
}

func (m *mesh) routes() *route.RouteConfiguration {
	hosts := make([]*route.VirtualHost, len(m.hosts))
	for index, cluster := range m.hosts {
		action := &route.RouteAction{ClusterSpecifier: &route.RouteAction_Cluster{Cluster: cluster}}
		hosts[index] = &route.VirtualHost{
			Name:    fmt.Sprintf("virtual-host-%d", index),
			Domains: []string{hostName(index)},
			Routes: []*route.Route{{
				Match:  &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: "/"}},
				Action: &route.Route_Route{Route: action},
			}},
		}
	}
	return &route.RouteConfiguration{Name: routesName, VirtualHosts: hosts}
}

func hostName(index int) string {
	return fmt.Sprintf("service-%d.example", index)
}

// listener has the switches of the bench's bare profile (bench/peers/envoy-bootstrap.ts).
func (m *mesh) listener(port uint32) (*listener.Listener, error) {
	routerConfig, err := anypb.New(&router.Router{SuppressEnvoyHeaders: true, DynamicStats: wrapperspb.Bool(false)})
	if err != nil {
		return nil, err
	}
	manager, err := anypb.New(&hcm.HttpConnectionManager{
		StatPrefix:        "ingress",
		CodecType:         hcm.HttpConnectionManager_HTTP1,
		GenerateRequestId: wrapperspb.Bool(false),
		RouteSpecifier: &hcm.HttpConnectionManager_Rds{
			Rds: &hcm.Rds{ConfigSource: overADS(), RouteConfigName: routesName},
		},
		HttpFilters: []*hcm.HttpFilter{{
			Name:       "envoy.filters.http.router",
			ConfigType: &hcm.HttpFilter_TypedConfig{TypedConfig: routerConfig},
		}},
	})
	if err != nil {
		return nil, err
	}
	return &listener.Listener{
		Name:    listenerName(port),
		Address: socketAddress("127.0.0.1", port),
		FilterChains: []*listener.FilterChain{{Filters: []*listener.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listener.Filter_TypedConfig{TypedConfig: manager},
		}}}},
	}, nil
}

func listenerName(port uint32) string {
	return fmt.Sprintf("127.0.0.1_%d", port)
}

func overADS() *core.ConfigSource {
	return &core.ConfigSource{
		ResourceApiVersion:    core.ApiVersion_V3,
		ConfigSourceSpecifier: &core.ConfigSource_Ads{Ads: &core.AggregatedConfigSource{}},
	}
}

func socketAddress(host string, port uint32) *core.Address {
	return &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
		Address: host, PortSpecifier: &core.SocketAddress_PortValue{PortValue: port},
	}}}
}
