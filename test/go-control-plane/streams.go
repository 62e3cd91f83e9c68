package main

import (
	"io"
	"sync"

	"google.golang.org/grpc"
)

// openStreams can end every stream while connections stay: what a data plane sees when its control plane moves it away.
type openStreams struct {
	mutex sync.Mutex
	// Closed to end the streams of today; those that come after have the next one.
	end chan struct{}
}

func newOpenStreams() *openStreams {
	return &openStreams{end: make(chan struct{})}
}

func (o *openStreams) endAll() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	close(o.end)
	o.end = make(chan struct{})
}

func (o *openStreams) intercept(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	o.mutex.Lock()
	end := o.end
	o.mutex.Unlock()
	return handler(service, &endingStream{ServerStream: stream, end: end})
}

type endingStream struct {
	grpc.ServerStream
	end chan struct{}
}

// RecvMsg reports the end of the stream when it is to end; the library's handler then returns.
func (s *endingStream) RecvMsg(message any) error {
	received := make(chan error, 1)
	go func() { received <- s.ServerStream.RecvMsg(message) }()
	select {
	case err := <-received:
		return err
	case <-s.end:
		return io.EOF
	}
}
