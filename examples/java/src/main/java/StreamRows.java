import com.google.protobuf.ByteString;
import io.grpc.*;
import io.waterflow.v1.*;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.SecureRandom;
import java.util.ArrayDeque;
import java.util.function.LongUnaryOperator;

/**
 * Streams the rows of a training run, with nothing but stubs generated from proto/. Kill the
 * server meanwhile and start it again: every row is there, once. In this folder:
 *
 * <pre>mvn -q compile exec:java -Dexec.args="127.0.0.1:7070 2000 200"</pre>
 * (server, rows, rows per second)
 */
public class StreamRows {
  static final int BATCH_ROWS = 10, MOST_HELD = 8;
  static long rows, perSecond, next; // what the training makes, and the row that is next
  static final ArrayDeque<Batch> held = new ArrayDeque<>(); // was sent, may not be durable

  /** The training: makes the next batch, a column for each metric, little-endian. */
  static Batch train() throws InterruptedException {
    int count = (int) Math.min(BATCH_ROWS, rows - next);
    Thread.sleep(1000 * count / perSecond);
    long now = System.currentTimeMillis() * 1_000_000;
    Batch batch = Batch.newBuilder().setSchemaId(1).setFirstRow(next).setRows(count)
        .setSteps(pack(count, row -> row)).setTimes(pack(count, row -> now))
        .addColumns(Column.newBuilder().setMetric(0).setType(ValueType.VALUE_TYPE_FLOAT64)
            .setValues(pack(count, row -> Double.doubleToRawLongBits(2.5 / (1 + row / 100.0)))))
        .addColumns(Column.newBuilder().setMetric(1).setType(ValueType.VALUE_TYPE_FLOAT64)
            .setValues(pack(count, row -> Double.doubleToRawLongBits(1.0 / (1 + row % 7)))))
        .build();
    next += count;
    return batch;
  }

  static ByteString pack(int count, LongUnaryOperator bitsOfRow) {
    var bytes = ByteBuffer.allocate(8 * count).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      bytes.putLong(bitsOfRow.applyAsLong(next + i));
    }
    return ByteString.copyFrom(bytes.flip());
  }

  /** One call: sends what is held, then new batches, until all rows are durable. */
  static void stream(IngestGrpc.IngestBlockingV2Stub ingest, Open.Builder open) throws Exception {
    var call = ingest.withWaitForReady().stream();
    call.write(StreamRequest.newBuilder().setOpen(open).build());
    for (StreamResponse response; (response = call.read()) != null; ) {
      if (response.hasRejected()) throw new IllegalStateException(response.toString());
      for (Lane lane : response.hasOpened()
          ? response.getOpened().getLanesList() : response.getAck().getLanesList()) {
        held.removeIf(batch -> batch.getFirstRow() + batch.getRows() <= lane.getNextRow());
        open.clearHeld().addHeld(lane);
      }
      if (response.hasOpened()) {
        System.out.println("stream is open, batches to send again: " + held.size());
        Schema schema = Schema.newBuilder().setId(1)
            .addMetrics(Metric.newBuilder().setName("train/loss"))
            .addMetrics(Metric.newBuilder().setName("train/lr")).build();
        call.write(StreamRequest.newBuilder().setSchema(schema).build());
        for (Batch batch : held) {
          call.write(StreamRequest.newBuilder().setBatch(batch).build());
        }
      }
      while (next < rows && held.size() < MOST_HELD) {
        held.add(train());
        call.write(StreamRequest.newBuilder().setBatch(held.getLast()).build());
      }
      if (held.isEmpty()) call.halfClose(); // the same as Close
    }
  }

  public static void main(String[] args) throws Exception {
    rows = Long.parseLong(args[1]);
    perSecond = Long.parseLong(args[2]);
    var channel = Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create()).build();
    var open = Open.newBuilder().setStreamId(ByteString.copyFrom(SecureRandom.getSeed(16)))
        .setRunId(TrackingGrpc.newBlockingStub(channel)
            .createRun(CreateRunRequest.getDefaultInstance()).getRun().getId());
    System.out.println("run " + open.getRunId());
    for (boolean durable = false; !durable; ) {
      try {
        stream(IngestGrpc.newBlockingV2Stub(channel), open);
        durable = true;
      } catch (StatusException lost) {
        if (lost.getStatus().getCode() != Status.Code.UNAVAILABLE) throw lost;
        System.out.println("stream broke: " + lost.getMessage());
      }
    }
    for (LastValue last : QueryGrpc.newBlockingStub(channel)
        .lastValues(LastValuesRequest.newBuilder().setRunId(open.getRunId()).build()).getValuesList()) {
      System.out.printf("%s: %d values, mean %.6f, last step %d%n",
          last.getMetric(), last.getCount(), last.getMean(), last.getStep());
    }
    channel.shutdownNow();
  }
}
