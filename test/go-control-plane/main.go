// A control plane made of go-control-plane's library, for tests and benchmarks: clusters with endpoints, one route table and
// listeners on loopback, served over gRPC (ADS and one service a type, delta and state of the world) and driven over
// HTTP. See README.md for what it takes and answers.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
)

func main() {
	xdsAddress := flag.String("xds", "127.0.0.1:0", "address of the gRPC server")
	httpAddress := flag.String("http", "127.0.0.1:0", "address of the HTTP server that drives it")
	cacheName := flag.String("cache", "linear", "linear (a version for each resource) or snapshot (everything under one version)")
	endpoints := flag.String("endpoints", "127.0.0.1:1", "addresses of the endpoints of every cluster, by comma")
	listenerPorts := flag.String("listeners", "", "ports of the listeners, by comma")
	clusters := flag.Int("clusters", 1, "number of clusters, service-0 and on")
	hosts := flag.Int("hosts", 1, "number of virtual hosts, service-0.example and on")
	followed := flag.String("follow", "", "be a client of the control plane at this address instead")
	protocol := flag.String("protocol", "delta", "delta or sotw, by which it is followed")
	refused := flag.String("refuse", "", "name of a resource that is refused when it comes")
	untilEOF := flag.Bool("until-eof", false, "end when standard input does: with whoever started it")
	flag.Parse()
	if *untilEOF {
		go endWithInput()
	}
	if *followed != "" {
		exitOn(follow(*followed, *protocol, *refused, os.Stdout))
	}

	desired, err := newMesh(strings.Split(*endpoints, ","), *listenerPorts)
	exitOn(err)
	published, err := newPublisher(*cacheName)
	exitOn(err)
	desired.resize(*clusters, *hosts)
	exitOn(published.replace(desired))

	journal := newJournal()
	streams := newOpenStreams()
	grpcServer := grpc.NewServer(grpc.StreamInterceptor(streams.intercept))
	register(grpcServer, server.NewServer(context.Background(), published.cache, journal.callbacks()))
	xds, err := net.Listen("tcp", *xdsAddress)
	exitOn(err)
	control, err := net.Listen("tcp", *httpAddress)
	exitOn(err)
	go func() { exitOn(grpcServer.Serve(xds)) }()

	exitOn(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"pid": os.Getpid(), "xds": xds.Addr().String(), "http": control.Addr().String(),
	}))
	driver := &driver{mesh: desired, published: published, journal: journal, streams: streams}
	service := &http.Server{Handler: driver.handler(), ReadHeaderTimeout: 5 * time.Second}
	exitOn(service.Serve(control))
}

func register(to *grpc.Server, xds server.Server) {
	discovery.RegisterAggregatedDiscoveryServiceServer(to, xds)
	clusterservice.RegisterClusterDiscoveryServiceServer(to, xds)
	endpointservice.RegisterEndpointDiscoveryServiceServer(to, xds)
	listenerservice.RegisterListenerDiscoveryServiceServer(to, xds)
	routeservice.RegisterRouteDiscoveryServiceServer(to, xds)
}

func endWithInput() {
	// However it ends, nobody is there any more.
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func exitOn(err error) {
	if err != nil {
		log.SetFlags(0)
		log.Fatal(fmt.Errorf("go-control-plane: %w", err))
	}
}
