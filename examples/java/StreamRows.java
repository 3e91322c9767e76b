import com.google.protobuf.ByteString;
import io.grpc.*;
import io.grpc.stub.StreamObserver;
import io.waterflow.v1.*;
import java.nio.*;
import java.security.SecureRandom;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.LongUnaryOperator;

// Streams the rows of a training run, with nothing but stubs generated from proto/. Kill the
// server meanwhile and start it again: every row is there, once. In this folder:
//
//   ./build.sh && java @classpath StreamRows SERVER ROWS ROWS_PER_SECOND
public class StreamRows {
  static final int BATCH_ROWS = 10, MOST_HELD = 8;
  static final Deque<Batch> held = new ArrayDeque<>(); // was sent, may not be durable
  static long rows, perSecond, next; // what the training makes, and the row that is next

  /** The training: makes the next batch, a column for each metric, little-endian. */
  static Batch train() throws InterruptedException {
    int count = (int) Math.min(BATCH_ROWS, rows - next);
    Thread.sleep(1000 * count / perSecond);
    var column = Column.newBuilder().setType(ValueType.VALUE_TYPE_FLOAT64);
    var loss = pack(count, row -> Double.doubleToRawLongBits(2.5 / (1 + row / 100.0)));
    var rate = pack(count, row -> Double.doubleToRawLongBits(1.0 / (1 + row % 7)));
    var batch = Batch.newBuilder().setSchemaId(1).setFirstRow(next).setRows(count)
        .setSteps(pack(count, row -> row))
        .setTimes(pack(count, row -> System.currentTimeMillis() * 1_000_000))
        .addColumns(column.setMetric(0).setValues(loss))
        .addColumns(column.setMetric(1).setValues(rate));
    next += count;
    return batch.build();
  }

  static ByteString pack(int count, LongUnaryOperator bitsOfRow) {
    var bytes = ByteBuffer.allocate(8 * count).order(ByteOrder.LITTLE_ENDIAN);
    for (long row = next; bytes.hasRemaining(); row++) bytes.putLong(bitsOfRow.applyAsLong(row));
    return ByteString.copyFrom(bytes.flip());
  }

  /** One call: sends what is held, then new batches, until all rows are durable. */
  static void stream(IngestGrpc.IngestStub ingest, Open.Builder open) throws Exception {
    var responses = new LinkedBlockingQueue<Callable<StreamResponse>>();
    var call = ingest.withWaitForReady().stream(new StreamObserver<StreamResponse>() {
      public void onNext(StreamResponse response) { responses.add(() -> response); }
      public void onError(Throwable error) { responses.add(() -> { throw (Exception) error; }); }
      public void onCompleted() { responses.add(() -> null); }
    });
    var request = StreamRequest.newBuilder();
    call.onNext(request.setOpen(open).build());
    for (StreamResponse response; (response = responses.take().call()) != null; ) {
      if (response.hasRejected()) throw new IllegalStateException(response.toString());
      for (Lane lane : response.hasOpened()
          ? response.getOpened().getLanesList() : response.getAck().getLanesList()) {
        held.removeIf(batch -> batch.getFirstRow() + batch.getRows() <= lane.getNextRow());
        open.clearHeld().addHeld(lane);
      }
      if (response.hasOpened()) {
        System.out.println("stream is open, batches to send again: " + held.size());
        call.onNext(request.setSchema(Schema.newBuilder().setId(1)
            .addMetrics(Metric.newBuilder().setName("train/loss"))
            .addMetrics(Metric.newBuilder().setName("train/lr"))).build());
        for (Batch batch : held) call.onNext(request.setBatch(batch).build());
      }
      while (next < rows && held.size() < MOST_HELD) {
        held.add(train());
        call.onNext(request.setBatch(held.peekLast()).build());
      }
      if (held.isEmpty()) call.onNext(request.setClose(Close.getDefaultInstance()).build());
    }
  }

  public static void main(String[] args) throws Exception {
    rows = Long.parseLong(args[1]);
    perSecond = Long.parseLong(args[2]);
    var channel = Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create()).build();
    String run = TrackingGrpc.newBlockingStub(channel)
        .createRun(CreateRunRequest.getDefaultInstance()).getRun().getId();
    System.out.println("run " + run);
    var stream = ByteString.copyFrom(SecureRandom.getSeed(16));
    var open = Open.newBuilder().setRunId(run).setStreamId(stream);
    for (boolean durable = false; !durable; ) {
      try {
        stream(IngestGrpc.newStub(channel), open);
        durable = true;
      } catch (StatusRuntimeException lost) {
        if (lost.getStatus().getCode() != Status.Code.UNAVAILABLE) throw lost;
        System.out.println("stream broke: " + lost.getMessage());
      }
    }
    var question = LastValuesRequest.newBuilder().setRunId(run).build();
    for (LastValue last : QueryGrpc.newBlockingStub(channel).lastValues(question).getValuesList())
      System.out.printf("%s: %d values, mean %.6f, last step %d%n",
          last.getMetric(), last.getCount(), last.getMean(), last.getStep());
  }
}
