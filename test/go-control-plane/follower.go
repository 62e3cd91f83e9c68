package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/client/sotw/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
)

// follower is a client: it follows another control plane and writes what it gets as lines of JSON.
type follower struct {
	node *core.Node
	// A response with a resource of this name is refused.
	refused string
	mutex   sync.Mutex
	lines   *json.Encoder
}

// received is one response.
type received struct {
	TypeURL   string                     `json:"type_url"`
	Resources map[string]json.RawMessage `json:"resources"`
	Removed   []string                   `json:"removed"`
	Refused   bool                       `json:"refused"`
}

var followedTypes = []string{resource.ClusterType, resource.EndpointType, resource.ListenerType, resource.RouteType}

func follow(address, protocol, refused string, to io.Writer) error {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	f := &follower{node: &core.Node{Id: "go-client"}, refused: refused, lines: json.NewEncoder(to)}
	switch protocol {
	case "delta":
		return f.followDelta(connection)
	case "sotw":
		return f.followSotw(connection)
	default:
		return fmt.Errorf("protocol %q is neither delta nor sotw", protocol)
	}
}

// followSotw has go-control-plane's own client follow, with a stream for each type.
func (f *follower) followSotw(connection *grpc.ClientConn) error {
	ended := make(chan error)
	for _, typeURL := range followedTypes {
		go func() { ended <- f.followType(connection, typeURL) }()
	}
	return <-ended
}

func (f *follower) followType(connection *grpc.ClientConn, typeURL string) error {
	client := sotw.NewADSClient(context.Background(), f.node, typeURL)
	if err := client.InitConnect(connection); err != nil {
		return err
	}
	for {
		response, err := client.Fetch()
		if err != nil {
			return err
		}
		_, refused, err := f.take(typeURL, response.Resources, nil)
		if err != nil {
			return err
		}
		if refused {
			err = client.Nack(refusal)
		} else {
			err = client.Ack()
		}
		if err != nil {
			return err
		}
	}
}

// followDelta asks for all clusters and listeners, and for what they name.
func (f *follower) followDelta(connection *grpc.ClientConn) error {
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(connection).DeltaAggregatedResources(context.Background())
	if err != nil {
		return err
	}
	for _, typeURL := range []string{resource.ClusterType, resource.ListenerType} {
		if err := stream.Send(&discovery.DeltaDiscoveryRequest{Node: f.node, TypeUrl: typeURL}); err != nil {
			return err
		}
	}
	asked := map[string]bool{}
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		bodies := make([]*anypb.Any, 0, len(response.Resources))
		for _, each := range response.Resources {
			bodies = append(bodies, each.Resource)
		}
		taken, refused, err := f.take(response.TypeUrl, bodies, response.RemovedResources)
		if err != nil {
			return err
		}
		answer := &discovery.DeltaDiscoveryRequest{TypeUrl: response.TypeUrl, ResponseNonce: response.Nonce}
		if refused {
			answer.ErrorDetail = &status.Status{Message: refusal}
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
		for typeURL, names := range cache.GetResourceReferences(taken) {
			request := &discovery.DeltaDiscoveryRequest{TypeUrl: typeURL}
			for name := range names {
				if key := typeURL + " " + name; !asked[key] {
					asked[key] = true
					request.ResourceNamesSubscribe = append(request.ResourceNamesSubscribe, name)
				}
			}
			if len(request.ResourceNamesSubscribe) == 0 {
				continue
			}
			if err := stream.Send(request); err != nil {
				return err
			}
		}
	}
}

const refusal = "it is not wanted here"

// take decodes resources into go-control-plane's own types, which check themselves, and writes them down.
func (f *follower) take(typeURL string, bodies []*anypb.Any, removed []string) (map[string]types.ResourceWithTTL, bool, error) {
	taken := map[string]types.ResourceWithTTL{}
	line := received{TypeURL: typeURL, Resources: map[string]json.RawMessage{}, Removed: removed}
	for _, body := range bodies {
		message, err := body.UnmarshalNew()
		if err != nil {
			return nil, false, err
		}
		if body.TypeUrl != typeURL {
			return nil, false, fmt.Errorf("a %s came as %s", body.TypeUrl, typeURL)
		}
		if checked, ok := message.(interface{ ValidateAll() error }); !ok {
			return nil, false, errors.New("it cannot be checked")
		} else if err := checked.ValidateAll(); err != nil {
			return nil, false, err
		}
		name := cache.GetResourceName(message)
		if line.Resources[name], err = protojson.Marshal(message); err != nil {
			return nil, false, err
		}
		taken[name] = types.ResourceWithTTL{Resource: message}
		line.Refused = line.Refused || name == f.refused
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return taken, line.Refused, f.lines.Encode(line)
}
