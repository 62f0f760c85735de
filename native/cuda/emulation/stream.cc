// Streams and events: queues that run at once, or, when lazy, as late as anything allows.
#include <cstdlib>
#include <cstring>

#include "driver.h"

namespace thalweg::driver {

// One record of an event: the event is done when its last one is.
struct EventRecord {
  StreamHandle* stream;
  bool done = false;
  std::chrono::steady_clock::time_point time;
};

struct EventHandle {
  ContextHandle& context;
  bool timing;
  std::shared_ptr<EventRecord> record;
};

namespace {

void drainUntil(const EventRecord& record) {
  while (!record.done && isLive(record.stream) && !record.stream->queue.empty()) runNext(*record.stream);
}

Status checkStream(Stream handle, StreamHandle*& stream, bool mayCapture) {
  const Status status = contextStatus();
  if (status != success) return status;
  stream = streamOf(handle, *currentContext());
  if (stream == nullptr) return invalidHandle;
  return stream->capture != nullptr && !mayCapture ? captureUnsupported : success;
}

Status checkEvent(Event event) {
  const Status status = contextStatus();
  if (status != success) return status;
  return isLive(event) ? success : invalidHandle;
}

}  // namespace

bool isLazy() {
  const char* mode = getenv("THALWEG_CUDA_EMULATION");
  return mode != nullptr && strcmp(mode, "lazy") == 0;
}

StreamHandle* streamOf(Stream handle, ContextHandle& context) {
  if (handle == nullptr) return context.defaultStream;
  return isLive(handle) && &handle->context == &context ? handle : nullptr;
}

void enqueue(StreamHandle& stream, Command command) {
  if (stream.capture != nullptr) {
    stream.capture->append(NodeKind::other, std::move(command));
    return;
  }
  stream.queue.push_back(std::move(command));
  if (!isLazy()) drain(stream);
}

void runNext(StreamHandle& stream) {
  const Command command = std::move(stream.queue.front());
  stream.queue.pop_front();
  // After a fault nothing runs any more.
  if (stream.context.failure == success) command(stream.context);
}

void drain(StreamHandle& stream) {
  while (!stream.queue.empty()) runNext(stream);
}

void drain(ContextHandle& context) {
  for (StreamHandle* stream : context.streams) drain(*stream);
}

void destroyStreams(ContextHandle& context) {
  for (StreamHandle* stream : context.streams) {
    removeHandle(stream);
    delete stream;
  }
  for (EventHandle* event : context.events) {
    removeHandle(event);
    delete event;
  }
}

THALWEG_EXPORT Status cuStreamCreateWithPriority(Stream* stream, unsigned, int) {
  const Lock lock(driverMutex());
  const Status status = contextStatus();
  if (status != success) return status;
  *stream = new StreamHandle(*currentContext());
  currentContext()->streams.insert(*stream);
  addHandle(*stream);
  return success;
}

THALWEG_EXPORT Status cuStreamDestroy_v2(Stream stream) {
  const Lock lock(driverMutex());
  if (!isLive(stream)) return invalidHandle;
  drain(*stream);
  stream->context.streams.erase(stream);
  removeHandle(stream);
  delete stream;
  return success;
}

// Where the host only ever asks, the work must still get done: each question lets one piece of it run.
THALWEG_EXPORT Status cuStreamQuery(Stream handle) {
  const Lock lock(driverMutex());
  StreamHandle* stream = nullptr;
  const Status status = checkStream(handle, stream, false);
  if (status != success) return status;
  if (stream->queue.empty()) return success;
  runNext(*stream);
  return stream->context.failure != success ? stream->context.failure : notReady;
}

THALWEG_EXPORT Status cuStreamSynchronize(Stream handle) {
  const Lock lock(driverMutex());
  StreamHandle* stream = nullptr;
  const Status status = checkStream(handle, stream, false);
  if (status != success) return status;
  drain(*stream);
  return stream->context.failure;
}

THALWEG_EXPORT Status cuStreamWaitEvent(Stream handle, Event event, unsigned) {
  const Lock lock(driverMutex());
  StreamHandle* stream = nullptr;
  Status status = checkStream(handle, stream, false);
  if (status == success) status = checkEvent(event);
  if (status != success) return status;
  if (event->record != nullptr)
    enqueue(*stream, [record = event->record](ContextHandle&) { drainUntil(*record); });
  return success;
}

THALWEG_EXPORT Status cuStreamBeginCapture_v2(Stream handle, int) {
  const Lock lock(driverMutex());
  StreamHandle* stream = nullptr;
  const Status status = checkStream(handle, stream, false);
  if (status != success) return status;
  if (stream == stream->context.defaultStream) return captureUnsupported;
  stream->capture = new GraphHandle();
  return success;
}

THALWEG_EXPORT Status cuStreamEndCapture(Stream handle, Graph* graph) {
  const Lock lock(driverMutex());
  *graph = nullptr;
  StreamHandle* stream = nullptr;
  const Status status = checkStream(handle, stream, true);
  if (status != success) return status;
  if (stream->capture == nullptr) return captureUnmatched;
  *graph = stream->capture;
  addHandle(*graph);
  stream->capture = nullptr;
  return success;
}

THALWEG_EXPORT Status cuEventCreate(Event* event, unsigned flags) {
  const Lock lock(driverMutex());
  const Status status = contextStatus();
  if (status != success) return status;
  *event = new EventHandle{*currentContext(), (flags & eventDisableTiming) == 0, nullptr};
  currentContext()->events.insert(*event);
  addHandle(*event);
  return success;
}

THALWEG_EXPORT Status cuEventDestroy_v2(Event event) {
  const Lock lock(driverMutex());
  if (!isLive(event)) return invalidHandle;
  event->context.events.erase(event);
  removeHandle(event);
  delete event;
  return success;
}

THALWEG_EXPORT Status cuEventRecord(Event event, Stream handle) {
  const Lock lock(driverMutex());
  StreamHandle* stream = nullptr;
  Status status = checkStream(handle, stream, false);
  if (status == success) status = checkEvent(event);
  if (status != success) return status;
  if (&event->context != &stream->context) return invalidHandle;
  auto record = std::make_shared<EventRecord>();
  record->stream = stream;
  event->record = record;
  enqueue(*stream, [record](ContextHandle&) {
    record->done = true;
    record->time = std::chrono::steady_clock::now();
  });
  return success;
}

THALWEG_EXPORT Status cuEventQuery(Event event) {
  const Lock lock(driverMutex());
  const Status status = checkEvent(event);
  if (status != success) return status;
  const std::shared_ptr<EventRecord> record = event->record;
  if (record == nullptr || record->done) return success;
  if (isLive(record->stream) && !record->stream->queue.empty()) runNext(*record->stream);
  return event->context.failure != success ? event->context.failure : notReady;
}

THALWEG_EXPORT Status cuEventSynchronize(Event event) {
  const Lock lock(driverMutex());
  const Status status = checkEvent(event);
  if (status != success) return status;
  if (event->record != nullptr) drainUntil(*event->record);
  return event->context.failure;
}

THALWEG_EXPORT Status cuEventElapsedTime(float* milliseconds, Event start, Event end) {
  const Lock lock(driverMutex());
  Status status = checkEvent(start);
  if (status == success) status = checkEvent(end);
  if (status != success) return status;
  if (!start->timing || !end->timing || start->record == nullptr || end->record == nullptr) return invalidHandle;
  if (!start->record->done || !end->record->done) return notReady;
  *milliseconds = std::chrono::duration<float, std::milli>(end->record->time - start->record->time).count();
  return success;
}

}  // namespace thalweg::driver
