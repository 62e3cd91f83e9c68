package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// An exporter that prints what it is given: `{"signal":…,"data":…}`, a line each, data in OTLP's JSON form.
func newPrinterFactory() exporter.Factory {
	return exporter.NewFactory(
		component.MustNewType("printer"),
		func() component.Config { return &struct{}{} },
		exporter.WithTraces(newTracePrinter, component.StabilityLevelStable),
		exporter.WithMetrics(newMetricPrinter, component.StabilityLevelStable),
	)
}

type printer struct {
	component.StartFunc
	component.ShutdownFunc
}

func (printer) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

var output sync.Mutex

func printLine(signal string, data []byte) error {
	output.Lock()
	defer output.Unlock()
	_, err := fmt.Fprintf(os.Stdout, "{\"signal\":%q,\"data\":%s}\n", signal, data)
	return err
}

type tracePrinter struct{ printer }

func newTracePrinter(context.Context, exporter.Settings, component.Config) (exporter.Traces, error) {
	return tracePrinter{}, nil
}

func (tracePrinter) ConsumeTraces(_ context.Context, traces ptrace.Traces) error {
	data, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	if err != nil {
		return err
	}
	return printLine("traces", data)
}

type metricPrinter struct{ printer }

func newMetricPrinter(context.Context, exporter.Settings, component.Config) (exporter.Metrics, error) {
	return metricPrinter{}, nil
}

func (metricPrinter) ConsumeMetrics(_ context.Context, metrics pmetric.Metrics) error {
	data, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(metrics)
	if err != nil {
		return err
	}
	return printLine("metrics", data)
}
