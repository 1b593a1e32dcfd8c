/* A TFLite delegate for the model of tiny.py: takes the first NODES convolutions of it.

   The structs are the beginnings of those in TFLite's C API (lite/core/c/common.h), as far as they
   are used here; every delegate library relies on this layout. */

#include <stddef.h>
#include <stdint.h>

typedef struct { int size; int data[]; } IntArray;

typedef struct Delegate Delegate;
typedef struct Context Context;

typedef struct {
  int type;
  float *data;
  IntArray *dims;
  struct { float scale; int32_t zero_point; } params;
  int allocation_type;
  size_t bytes;
  const void *allocation;
  const char *name;
  Delegate *delegate;
  int buffer_handle;
  unsigned char data_is_stale, is_variable;
  struct { int type; void *params; } quantization;
  void *sparsity;
  const IntArray *dims_signature;
} Tensor;

typedef struct { IntArray *inputs, *outputs; } Node;

typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, Node *);
  int (*invoke)(Context *, Node *);
  const char *(*profiling_string)(const Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *external, *async_kernel;
  uint64_t inplace_operator;
} Registration;

struct Context {
  size_t tensors_size;
  int (*GetExecutionPlan)(Context *, IntArray **);
  Tensor *tensors;
  void *impl;
  void *ResizeTensor, *ReportError, *AddTensors, *GetNodeAndRegistration;
  int (*ReplaceNodeSubsetsWithDelegateKernels)(Context *, Registration, const IntArray *, Delegate *);
};

struct Delegate {
  void *data;
  int (*Prepare)(Context *, Delegate *);
  void *CopyFromBufferHandle, *CopyToBufferHandle, *FreeBufferHandle;
  int64_t flags;
  void *builder;
};

static const float gains[] = {0.5f, -0.25f}; /* near, far */

static int invoke(Context *context, Node *node) {
  const Tensor *mixture = &context->tensors[node->inputs->data[0]];
  for (int i = 0; i < node->outputs->size; i++) {
    Tensor *stem = &context->tensors[node->outputs->data[i]];
    for (size_t bin = 0; bin < stem->bytes / sizeof(float) / 2; bin++)
      for (int part = 0; part < 2; part++)
        stem->data[2 * bin + part] = gains[i] * mixture->data[3 * bin + 1 + part];
  }
  return 0;
}

static int prepare(Context *context, Delegate *delegate) {
  if (!NODES) return 0;
  IntArray *plan;
  if (context->GetExecutionPlan(context, &plan)) return 1;
  static struct { int size; int data[NODES + 1]; } wanted = {NODES};
  for (int i = 0; i < NODES; i++) wanted.data[i] = plan->data[i];
  Registration kernel = {.invoke = invoke, .custom_name = "TestDelegate", .version = 1};
  return context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, (IntArray *)&wanted, delegate);
}

static Delegate delegate = {.Prepare = prepare};

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
  return &delegate;
}

void tflite_plugin_destroy_delegate(Delegate *unused) {}
