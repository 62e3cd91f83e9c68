package main

import (
	"context"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/protobuf/proto"
)

// Older entries are forgotten.
const journalLength = 1000

// entry is one response and what became of it.
type entry struct {
	Stream    int64  `json:"stream"`
	TypeURL   string `json:"type_url"`
	Version   string `json:"version"`
	Nonce     string `json:"nonce"`
	Resources int    `json:"resources"`
	Removed   int    `json:"removed"`
	Bytes     int    `json:"bytes"`
	// Microseconds since 1970, taken when the response was handed to the stream.
	SentAt int64 `json:"sent_at_us"`
	// 0 until it was answered.
	AnsweredAt int64 `json:"answered_at_us"`
	// The text of a NACK.
	Nack string `json:"nack,omitempty"`
}

// journal keeps the last responses of all streams.
type journal struct {
	mutex   sync.Mutex
	entries []*entry
	open    map[int64]bool
}

func newJournal() *journal {
	return &journal{open: map[int64]bool{}}
}

func (j *journal) sent(one *entry) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.open[one.Stream] = true
	if len(j.entries) == journalLength {
		j.entries = j.entries[1:]
	}
	// Last, so that nothing of the bookkeeping is between it and the send.
	one.SentAt = time.Now().UnixMicro()
	j.entries = append(j.entries, one)
}

func (j *journal) answered(stream int64, typeURL, nonce, nack string) {
	now := time.Now().UnixMicro()
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.open[stream] = true
	for index := len(j.entries) - 1; nonce != "" && index >= 0; index-- {
		one := j.entries[index]
		if one.Stream == stream && one.TypeURL == typeURL && one.Nonce == nonce {
			one.AnsweredAt, one.Nack = now, nack
			return
		}
	}
}

func (j *journal) closed(stream int64) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	delete(j.open, stream)
}

// last returns at most count entries, oldest first; an empty type stands for all.
func (j *journal) last(typeURL string, count int) (entries []entry, openStreams int) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	entries = []entry{}
	for _, one := range j.entries {
		if typeURL == "" || one.TypeURL == typeURL {
			entries = append(entries, *one)
		}
	}
	return entries[max(0, len(entries)-count):], len(j.open)
}

// Delta streams and those of the state of the world count from 1 each.
func deltaStream(id int64) int64 { return id << 1 }
func stateStream(id int64) int64 { return id<<1 | 1 }

func (j *journal) callbacks() server.Callbacks {
	return server.CallbackFuncs{
		StreamDeltaRequestFunc: func(id int64, request *discovery.DeltaDiscoveryRequest) error {
			nack := request.GetErrorDetail().GetMessage()
			j.answered(deltaStream(id), request.GetTypeUrl(), request.GetResponseNonce(), nack)
			return nil
		},
		StreamDeltaResponseFunc: func(id int64, _ *discovery.DeltaDiscoveryRequest, response *discovery.DeltaDiscoveryResponse) {
			j.sent(&entry{
				Stream: deltaStream(id), TypeURL: response.GetTypeUrl(), Version: response.GetSystemVersionInfo(),
				Nonce: response.GetNonce(), Resources: len(response.GetResources()),
				Removed: len(response.GetRemovedResources()), Bytes: proto.Size(response),
			})
		},
		DeltaStreamClosedFunc: func(id int64, _ *core.Node) { j.closed(deltaStream(id)) },
		StreamRequestFunc: func(id int64, request *discovery.DiscoveryRequest) error {
			nack := request.GetErrorDetail().GetMessage()
			j.answered(stateStream(id), request.GetTypeUrl(), request.GetResponseNonce(), nack)
			return nil
		},
		StreamResponseFunc: func(_ context.Context, id int64, _ *discovery.DiscoveryRequest, response *discovery.DiscoveryResponse) {
			j.sent(&entry{
				Stream: stateStream(id), TypeURL: response.GetTypeUrl(), Version: response.GetVersionInfo(),
				Nonce: response.GetNonce(), Resources: len(response.GetResources()), Bytes: proto.Size(response),
			})
		},
		StreamClosedFunc: func(id int64, _ *core.Node) { j.closed(stateStream(id)) },
	}
}
