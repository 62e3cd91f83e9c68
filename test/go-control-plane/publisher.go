package main

import (
	"context"
	"fmt"
	"strconv"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// In the order in which a data plane needs them.
var typeURLs = []string{resource.ClusterType, resource.EndpointType, resource.ListenerType, resource.RouteType}

// publisher puts states of a mesh into a cache of the library.
type publisher struct {
	cache cache.Cache
	// By type URL and name: everything there is.
	set func(resources map[string]map[string]types.Resource) error
	// Resources of one type, by name; others stay.
	update func(typeURL string, resources map[string]types.Resource) error
}

func newPublisher(cacheName string) (*publisher, error) {
	switch cacheName {
	case "linear":
		return newLinearPublisher(), nil
	case "snapshot":
		return newSnapshotPublisher(), nil
	default:
		return nil, fmt.Errorf("no cache is called %q: linear or snapshot", cacheName)
	}
}

func newLinearPublisher() *publisher {
	caches := map[string]*cache.LinearCache{}
	byType := map[string]cache.Cache{}
	for _, typeURL := range typeURLs {
		caches[typeURL] = cache.NewLinearCache(typeURL)
		byType[typeURL] = caches[typeURL]
	}
	return &publisher{
		cache: &cache.MuxCache{
			Classify:      func(request *cache.Request) string { return request.GetTypeUrl() },
			ClassifyDelta: func(request *cache.DeltaRequest) string { return request.GetTypeUrl() },
			Caches:        byType,
		},
		set: func(resources map[string]map[string]types.Resource) error {
			for _, typeURL := range typeURLs {
				caches[typeURL].SetResources(resources[typeURL])
			}
			return nil
		},
		update: func(typeURL string, resources map[string]types.Resource) error {
			return caches[typeURL].UpdateResources(resources, nil)
		},
	}
}

// Every node is of one group.
type oneGroup struct{}

const group = "all"

func (oneGroup) ID(*core.Node) string { return group }

func newSnapshotPublisher() *publisher {
	snapshots := cache.NewSnapshotCache(false, oneGroup{}, nil)
	var held map[string]map[string]types.Resource
	version := 0
	publish := func() error {
		lists := map[resource.Type][]types.Resource{}
		for _, typeURL := range typeURLs {
			for _, one := range held[typeURL] {
				lists[typeURL] = append(lists[typeURL], one)
			}
		}
		version++
		snapshot, err := cache.NewSnapshot(strconv.Itoa(version), lists)
		if err != nil {
			return err
		}
		return snapshots.SetSnapshot(context.Background(), group, snapshot)
	}
	return &publisher{
		cache: snapshots,
		set: func(resources map[string]map[string]types.Resource) error {
			held = resources
			return publish()
		},
		update: func(typeURL string, resources map[string]types.Resource) error {
			for name, one := range resources {
				held[typeURL][name] = one
			}
			return publish()
		},
	}
}

// replace publishes everything, clusters first.
func (p *publisher) replace(m *mesh) error {
	resources := map[string]map[string]types.Resource{
		resource.ClusterType:  {},
		resource.EndpointType: {},
		resource.ListenerType: {},
		resource.RouteType:    {routesName: m.routes()},
	}
	for _, name := range m.clusters {
		resources[resource.ClusterType][name] = m.cluster(name)
		resources[resource.EndpointType][name] = m.assignment(name)
	}
	for _, port := range m.ports {
		made, err := m.listener(port)
		if err != nil {
			return err
		}
		resources[resource.ListenerType][made.GetName()] = made
	}
	return p.set(resources)
}
