package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
)

// driver changes the mesh as it is told over HTTP.
type driver struct {
	mutex     sync.Mutex
	mesh      *mesh
	published *publisher
	journal   *journal
	streams   *openStreams
}

var typeURLOf = map[string]string{
	"": "", "cds": resource.ClusterType, "eds": resource.EndpointType, "lds": resource.ListenerType, "rds": resource.RouteType,
}

func (d *driver) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /change", d.answer(d.change))
	mux.HandleFunc("POST /push", d.answer(d.push))
	mux.HandleFunc("POST /restart-stream", d.answer(func(url.Values) (any, error) {
		d.streams.endAll()
		return map[string]any{}, nil
	}))
	mux.HandleFunc("GET /status", d.answer(d.status))
	return mux
}

// answer is JSON, or 400 with the error's text.
func (d *driver) answer(act func(url.Values) (any, error)) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		d.mutex.Lock()
		defer d.mutex.Unlock()
		result, err := act(request.URL.Query())
		if err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
			return
		}
		writer.Header().Set("content-type", "application/json")
		// The other side went away: nothing is left to tell it.
		_ = json.NewEncoder(writer).Encode(result)
	}
}

func (d *driver) change(query url.Values) (any, error) {
	switch kind := query.Get("kind"); kind {
	case "endpoint":
		return d.changeEndpoint(query.Get("cluster"), query.Get("address"))
	case "route":
		return d.changeRoute(query.Get("host"), query.Get("cluster"))
	default:
		return nil, fmt.Errorf("no change is of kind %q: endpoint or route", kind)
	}
}

func (d *driver) changeEndpoint(name, addressText string) (any, error) {
	address, err := parseAddress(addressText)
	if err != nil {
		return nil, err
	}
	d.mesh.endpointOf[name] = address
	assignments := map[string]types.Resource{name: d.mesh.assignment(name)}
	return map[string]any{"cluster": name}, d.published.update(resource.EndpointType, assignments)
}

func (d *driver) changeRoute(host, cluster string) (any, error) {
	for index := range d.mesh.hosts {
		if hostName(index) == host {
			d.mesh.hosts[index] = cluster
			routes := map[string]types.Resource{routesName: d.mesh.routes()}
			return map[string]any{"host": host}, d.published.update(resource.RouteType, routes)
		}
	}
	return nil, fmt.Errorf("no virtual host is for %q", host)
}

func (d *driver) push(query url.Values) (any, error) {
	clusters, err := number(query, "clusters", len(d.mesh.clusters))
	if err != nil {
		return nil, err
	}
	hosts, err := number(query, "hosts", len(d.mesh.hosts))
	if err != nil {
		return nil, err
	}
	timeout, err := number(query, "connect_timeout_ms", int(d.mesh.connectTimeout.Milliseconds()))
	if err != nil {
		return nil, err
	}
	d.mesh.connectTimeout = time.Duration(timeout) * time.Millisecond
	if zone := query.Get("zone"); zone != "" {
		d.mesh.zone = zone
	}
	d.mesh.resize(clusters, hosts)
	return map[string]any{"clusters": clusters, "hosts": hosts}, d.published.replace(d.mesh)
}

func (d *driver) status(query url.Values) (any, error) {
	typeURL, known := typeURLOf[query.Get("type")]
	if !known {
		return nil, fmt.Errorf("no type is called %q: cds, eds, lds or rds", query.Get("type"))
	}
	count, err := number(query, "last", journalLength)
	if err != nil {
		return nil, err
	}
	entries, streams := d.journal.last(typeURL, count)
	return map[string]any{"streams": streams, "responses": entries}, nil
}

func number(query url.Values, name string, otherwise int) (int, error) {
	if !query.Has(name) {
		return otherwise, nil
	}
	value, err := strconv.Atoi(query.Get(name))
	if err != nil || value < 0 {
		return 0, fmt.Errorf("%s takes a whole number, not %q", name, query.Get(name))
	}
	return value, nil
}
