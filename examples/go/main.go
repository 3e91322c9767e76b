// Streams the rows of a training run, with nothing but stubs generated from proto/. Kill the
// server meanwhile and start it again: every row is there, once. In this folder:
//
//	go generate && go run . SERVER ROWS ROWS_PER_SECOND
package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	pb "waterflow/v1"
)

const batchRows, mostHeld = 10, 8

var ctx = context.Background()
var rows, perSecond, next uint64 // what the training makes, and the row that is next
var held []*pb.Batch             // what was sent and may not be durable

// train makes the next batch: a column for each metric, little-endian.
func train() *pb.Batch {
	u64, float64s := binary.LittleEndian.AppendUint64, pb.ValueType_VALUE_TYPE_FLOAT64
	loss, rate := &pb.Column{Metric: 0, Type: float64s}, &pb.Column{Metric: 1, Type: float64s}
	batch := &pb.Batch{SchemaId: 1, FirstRow: next, Columns: []*pb.Column{loss, rate}}
	for ; next < rows && batch.Rows < batchRows; next++ {
		time.Sleep(time.Second / time.Duration(perSecond))
		batch.Rows++
		batch.Steps = u64(batch.Steps, next)
		batch.Times = u64(batch.Times, uint64(time.Now().UnixNano()))
		loss.Values = u64(loss.Values, math.Float64bits(2.5/(1+float64(next)/100)))
		rate.Values = u64(rate.Values, math.Float64bits(1/float64(1+next%7)))
	}
	return batch
}

// stream is one call: it sends what is held, then new batches. io.EOF: all are durable.
func stream(ingest pb.IngestClient, open *pb.Open) error {
	call := must(ingest.Stream(ctx, grpc.WaitForReady(true)))
	call.Send(&pb.StreamRequest{Message: &pb.StreamRequest_Open{Open: open}})
	for {
		response, err := call.Recv() // tells, too, why a Send failed
		if err != nil {
			return err
		} else if rejected := response.GetRejected(); rejected != nil {
			return status.Error(codes.Code(rejected.Code), rejected.Message)
		}
		for _, lane := range append(response.GetOpened().GetLanes(), response.GetAck().GetLanes()...) {
			for len(held) > 0 && held[0].FirstRow+uint64(held[0].Rows) <= lane.NextRow {
				held = held[1:]
			}
			open.Held = []*pb.Lane{lane}
		}
		if response.GetOpened() != nil {
			fmt.Println("stream is open, batches to send again:", len(held))
			schema := &pb.Schema{Id: 1, Metrics: []*pb.Metric{{Name: "train/loss"}, {Name: "train/lr"}}}
			call.Send(&pb.StreamRequest{Message: &pb.StreamRequest_Schema{Schema: schema}})
			for _, batch := range held {
				call.Send(&pb.StreamRequest{Message: &pb.StreamRequest_Batch{Batch: batch}})
			}
		}
		for len(held) < mostHeld && next < rows {
			held = append(held, train())
			call.Send(&pb.StreamRequest{Message: &pb.StreamRequest_Batch{Batch: held[len(held)-1]}})
		}
		if len(held) == 0 {
			call.CloseSend() // the same as Close
		}
	}
}

func main() {
	fmt.Sscan(os.Args[2]+" "+os.Args[3], &rows, &perSecond)
	channel := must(grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials())))
	run := must(pb.NewTrackingClient(channel).CreateRun(ctx, &pb.CreateRunRequest{})).Run
	open := &pb.Open{RunId: run.Id, StreamId: make([]byte, 16)}
	rand.Read(open.StreamId)
	fmt.Println("run", run.Id)
	ingest := pb.NewIngestClient(channel)
	for err := stream(ingest, open); err != io.EOF; err = stream(ingest, open) {
		if status.Code(err) != codes.Unavailable {
			log.Fatal(err)
		}
		fmt.Println("stream broke:", err)
	}
	answer := must(pb.NewQueryClient(channel).LastValues(ctx, &pb.LastValuesRequest{RunId: run.Id}))
	for _, last := range answer.Values {
		fmt.Printf("%s: %d values, mean %.6f, last step %d\n", last.Metric, last.Count, last.Mean, *last.Step)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
