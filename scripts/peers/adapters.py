# SPDX-License-Identifier: Apache-2.0
"""One class per peer: how a convolution is made and called there.

    peer = PEERS[name](setup)           imports the library, sets its threads; Missing says why it cannot be used
    made = peer.compile(case, filter, variant)      once per problem; Refused says why it does not do that problem
    run, output = made(x, y)            run() computes from x; then output() is the result, of y's shape and type

y is where a library writes that takes a place for its output; others allocate theirs, and the last one of each (x, y)
is kept alive, as y is. Where a library has several ways that could be its best, they are `variants`, and measure.py
takes the fastest. Every library has the filter as a constant and, where it does that, in its own packed form. This
module imports no peer at its top: the harness reads the classes' facts with any Python.
"""

import ctypes
import functools
import os
import pathlib
import struct
import tempfile

import numpy


class Missing(Exception):
    """The library is not there."""


class Refused(Exception):
    """The library does not do this problem."""


class Peer:
    name = title = given = ""
    layouts = ("nhwc", "nchw")
    dtypes = ("f32",)
    requires = ()  # packages of the Python registry; empty: the system's Python
    installed_as = ""  # name of the environment that has them, if another peer's; "": its own
    environment = {}  # beside what run.py sets for all
    variants = ("",)
    version = ""

    @classmethod
    def why_not(cls, case):
        if case.layout not in cls.layouts:
            return f"takes and gives {cls.layouts[0].upper()} only"
        return None if case.dtype in cls.dtypes else f"no {case.dtype} in and out"


class Setup:
    """threads; folder: the shims; wisdom: our tuning records or None."""

    def __init__(self, threads, folder, wisdom=None):
        self.threads, self.folder, self.wisdom = threads, pathlib.Path(folder), wisdom


def groups_first(kernel):
    """[kh,kw,c,m] -> [c*m,1,kh,kw]"""
    kh, kw, c, m = kernel.shape
    return numpy.ascontiguousarray(kernel.transpose(2, 3, 0, 1).reshape(c * m, 1, kh, kw))


# ---- C shims ---------------------------------------------------------------------------------------------------------


class Shim(Peer):
    """A shared object with the interface of shim.h, called by ctypes."""

    dtypes = ("f32", "f64", "bf16", "f16")

    def __init__(self, setup):
        self.setup = setup
        path = setup.folder / f"{self.name}.so"
        if not path.exists():
            raise Missing("its shim was not built")
        self.library = ctypes.CDLL(str(path))
        self.library.shim_version.restype = ctypes.c_char_p
        self.library.shim_run.argtypes = [ctypes.c_void_p] * 3
        self.library.shim_destroy.argtypes = [ctypes.c_void_p]
        self.version = self.library.shim_version().decode()

    def compile(self, case, kernel, variant):
        made, text = ctypes.c_void_p(), ctypes.create_string_buffer(300)
        wisdom = self.setup.wisdom and os.fsencode(self.setup.wisdom)
        if self.library.shim_create(
            case.text().encode(),
            self.variants.index(variant),
            self.setup.threads,
            case.regime == "cold",
            wisdom,
            ctypes.c_void_p(kernel.ctypes.data),
            ctypes.byref(made),
            text,
            len(text),
        ):
            raise Refused(text.value.decode())
        return ShimMade(self.library, made, text.value.decode())


class ShimMade:
    def __init__(self, library, made, note):
        self.library, self.made, self.note = library, made, note

    def __call__(self, x, y):
        run = functools.partial(self.library.shim_run, self.made, x.ctypes.data, y.ctypes.data)
        if run():
            raise Refused("fails when run")
        return run, lambda: self.result(y)

    def result(self, y):
        """A method, so that who holds the output function holds the shim's plan too."""
        return y

    def __del__(self):
        self.library.shim_destroy(self.made)


class Ours(Shim):
    name, title = "dwconv", "dwconv"
    given = "the plan it chooses itself, filter packed, workspace allocated before"


class OneDnn(Shim):
    name, title = "onednn", "oneDNN (Debian)"
    given = (
        "C interface; filter in the form it asks for; in the caller's layout throughout, or with reorders around "
        "the layout that it prefers, whichever is faster"
    )
    variants = ("in place", "reorders")


# ---- PyTorch ---------------------------------------------------------------------------------------------------------


class Torch(Peer):
    name, title = "pytorch", "PyTorch (Debian)"
    given = (
        "inference mode; eager conv2d, or scripted, frozen and optimized for inference, whichever is faster; NHWC"
        " by channels_last; padding that is not symmetric by a copy, as it knows no other"
    )
    dtypes = ("f32", "f64", "bf16", "f16")
    variants = ("eager", "frozen")

    def __init__(self, setup):
        try:
            import torch
        except ImportError as error:
            raise Missing(str(error)) from error
        self.torch, self.version = torch, torch.__version__
        torch.set_num_threads(setup.threads)
        torch.set_num_interop_threads(1)
        torch.inference_mode().__enter__()

    def tensor(self, array, case):
        tensor = self.torch.from_numpy(array.view(numpy.int16) if case.dtype == "bf16" else array)
        tensor = tensor.view(self.torch.bfloat16) if case.dtype == "bf16" else tensor
        return tensor.permute(0, 3, 1, 2) if case.layout == "nhwc" else tensor

    def eager(self, case, weight):
        """conv2d itself, after a copy with the padding where that is not symmetric."""
        conv2d, pad = self.torch.conv2d, self.torch.constant_pad_nd
        (top, bottom, left, right), even = case.pads, case.pads[0::2] == case.pads[1::2]
        rest = (weight, None, (case.sh, case.sw), (top, left) if even else (0, 0), (case.dh, case.dw), case.c)
        return (
            (lambda x: conv2d(x, *rest))
            if even
            else (lambda x: conv2d(pad(x, (left, right, top, bottom), 0.0), *rest))
        )

    def frozen(self, case, weight):
        nn, jit, (top, bottom, left, right) = self.torch.nn, self.torch.jit, case.pads
        even = (top, left) == (bottom, right)
        layer = nn.Conv2d(
            case.c,
            case.c * case.m,
            (case.kh, case.kw),
            (case.sh, case.sw),
            (top, left) if even else 0,
            (case.dh, case.dw),
            case.c,
            bias=False,
        )
        layer.weight = nn.Parameter(weight, requires_grad=False)
        module = (
            nn.Sequential(layer) if even else nn.Sequential(nn.ConstantPad2d((left, right, top, bottom), 0.0), layer)
        )
        return jit.optimize_for_inference(jit.freeze(jit.script(module.eval())))

    def compile(self, case, kernel, variant):
        torch, nhwc = self.torch, case.layout == "nhwc"
        channels_last = torch.channels_last if nhwc else torch.contiguous_format
        weight = groups_first(kernel)
        weight = (
            torch.from_numpy(weight.view(numpy.int16)).view(torch.bfloat16)
            if case.dtype == "bf16"
            else torch.from_numpy(weight)
        )
        with torch.inference_mode(False):
            call = getattr(self, variant)(case, weight.clone().contiguous(memory_format=channels_last))

        def bind(x, y):
            x, slot = self.tensor(x, case), [None]

            def run():
                slot[0] = call(x)

            def run_in_layout():
                slot[0] = call(x).contiguous(memory_format=channels_last)

            try:
                run()
            except RuntimeError as error:
                raise Refused(first_line(error)) from error

            def output():
                result = slot[0].permute(0, 2, 3, 1) if nhwc else slot[0]
                return result.view(torch.int16).numpy().view(numpy.uint16) if case.dtype == "bf16" else result.numpy()

            return (run if slot[0].is_contiguous(memory_format=channels_last) else run_in_layout), output

        return bind


# ---- ONNX Runtime ----------------------------------------------------------------------------------------------------


class OnnxRuntime(Peer):
    name, title = "onnxruntime", "ONNX Runtime"
    given = (
        "a graph of one Conv, bound to input and output; with all optimizations (channels in blocks), or those "
        "that keep the layout, whichever is faster"
    )
    layouts = ("nchw",)
    dtypes = ("f32", "f64", "f16")
    requires = ("onnxruntime", "onnx", "numpy")
    variants = ("all", "extended")

    def __init__(self, setup):
        import onnx
        import onnxruntime

        self.onnx, self.ort, self.threads, self.version = onnx, onnxruntime, setup.threads, onnxruntime.__version__

    def compile(self, case, kernel, variant):
        helper, level = self.onnx.helper, self.ort.GraphOptimizationLevel
        element = helper.np_dtype_to_tensor_dtype(kernel.dtype)
        top, bottom, left, right = case.pads
        node = helper.make_node(
            "Conv",
            ["x", "w"],
            ["y"],
            group=case.c,
            kernel_shape=[case.kh, case.kw],
            strides=[case.sh, case.sw],
            dilations=[case.dh, case.dw],
            pads=[top, left, bottom, right],
        )
        graph = helper.make_graph(
            [node],
            "layer",
            [helper.make_tensor_value_info("x", element, case.in_shape)],
            [helper.make_tensor_value_info("y", element, case.out_shape)],
            [self.onnx.numpy_helper.from_array(groups_first(kernel), "w")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        options = self.ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.graph_optimization_level = level.ORT_ENABLE_ALL if variant == "all" else level.ORT_ENABLE_EXTENDED
        try:
            session = self.ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        except Exception as error:
            raise Refused(first_line(error)) from error

        def bind(x, y):
            binding = session.io_binding()
            binding.bind_input("x", "cpu", 0, x.dtype, x.shape, x.ctypes.data)
            binding.bind_output("y", "cpu", 0, y.dtype, y.shape, y.ctypes.data)
            return functools.partial(session.run_with_iobinding, binding), lambda: y

        return bind


# ---- OpenVINO --------------------------------------------------------------------------------------------------------


class OpenVino(Peer):
    name, title = "openvino", "OpenVINO"
    given = (
        "a compiled model of one GroupConvolution with tensors of the caller set; latency hint, one stream; NHWC "
        "by its pre- and postprocessor"
    )
    dtypes = ("f32", "bf16", "f16")
    requires = ("openvino", "numpy")
    variants = ("infer", "async")

    def __init__(self, setup):
        import openvino

        self.ov, self.version = openvino, openvino.__version__
        self.core = openvino.Core()
        self.core.set_property(
            "CPU",
            {
                "INFERENCE_NUM_THREADS": setup.threads,
                "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY",
                "ENABLE_CPU_PINNING": False,
            },
        )

    def compile(self, case, kernel, variant):
        ov, ops = self.ov, self.ov.opset13
        element = getattr(ov.Type, case.dtype)
        weights = groups_first(kernel).reshape(case.c, case.m, 1, case.kh, case.kw)
        constant = ov.op.Constant(ov.Tensor(weights, weights.shape, element))
        x = ops.parameter((case.n, case.c, case.h, case.w), element)
        top, bottom, left, right = case.pads
        y = ops.group_convolution(x, constant, [case.sh, case.sw], [top, left], [bottom, right], [case.dh, case.dw])
        model = ov.Model([y], [x])
        if case.layout == "nhwc":
            edges = ov.preprocess.PrePostProcessor(model)
            for edge in (edges.input(), edges.output()):
                edge.tensor().set_layout(ov.Layout("NHWC"))
                edge.model().set_layout(ov.Layout("NCHW"))
            model = edges.build()
        # Else it takes bfloat16 for float32 where the CPU has AMX.
        precision = {"INFERENCE_PRECISION_HINT": "f32"} if case.dtype == "f32" else {}
        compiled = self.core.compile_model(model, "CPU", precision)

        def bind(x, y):
            request = compiled.create_infer_request()
            # Tensors that share the arrays' memory, so that no call has to copy.
            request.set_input_tensor(ov.Tensor(x, x.shape, element))
            request.set_output_tensor(ov.Tensor(y, y.shape, element))
            start, wait = request.start_async, request.wait

            def start_and_wait():
                start()
                wait()

            synchronous = functools.partial(request.infer, share_inputs=True, share_outputs=True)
            return (synchronous if variant == "infer" else start_and_wait), lambda: y

        return bind


# ---- TensorFlow ------------------------------------------------------------------------------------------------------


class TensorFlow(Peer):
    name, title = "tensorflow", "TensorFlow"
    given = (
        "tf.nn.depthwise_conv2d in a traced function, or the raw operator eagerly (no dilation), whichever is "
        "faster; its own kernels (TF_ENABLE_ONEDNN_OPTS=0)"
    )
    layouts = ("nhwc",)
    dtypes = ("f32", "f64", "bf16", "f16")
    requires = ("tensorflow-cpu",)
    installed_as = "tensorflow"
    environment = {"TF_ENABLE_ONEDNN_OPTS": "0"}
    variants = ("function", "raw")

    def __init__(self, setup):
        import tensorflow

        self.tf, self.version = tensorflow, tensorflow.__version__
        tensorflow.config.threading.set_intra_op_parallelism_threads(setup.threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)

    def constant(self, array, case):
        return self.tf.constant(array.view(self.tf.bfloat16.as_numpy_dtype) if case.dtype == "bf16" else array)

    def function(self, case, kernel):
        """A concrete function of the input, the filter in it."""
        tf, (top, bottom, left, right) = self.tf, case.pads
        weights = self.constant(kernel, case)
        padding = (
            case.padding if case.padding in ("SAME", "VALID") else [[0, 0], [top, bottom], [left, right], [0, 0]]
        )
        return tf.function(
            lambda x: tf.nn.depthwise_conv2d(
                x, weights, [1, case.sh, case.sw, 1], padding, dilations=[case.dh, case.dw]
            )
        ).get_concrete_function(tf.TensorSpec(case.in_shape, weights.dtype))

    def raw(self, case, kernel):
        if (case.dh, case.dw) != (1, 1):
            raise Refused("the raw operator has no dilation on CPUs")
        named = case.padding in ("SAME", "VALID")
        top, bottom, left, right = case.pads
        return functools.partial(
            self.tf.raw_ops.DepthwiseConv2dNative,
            filter=self.constant(kernel, case),
            strides=[1, case.sh, case.sw, 1],
            padding=case.padding if named else "EXPLICIT",
            explicit_paddings=[] if named else [0, 0, top, bottom, left, right, 0, 0],
        )

    def compile(self, case, kernel, variant):
        call = getattr(self, variant)(case, kernel)

        def bind(x, y):
            x, slot = self.constant(x, case), [None]
            arguments = {"input": x} if variant == "raw" else {"x": x}

            def run():
                slot[0] = call(**arguments)

            try:
                run()
            except self.tf.errors.OpError as error:
                raise Refused(first_line(error)) from error
            return run, lambda: self.back(slot[0], y)

        return bind

    @staticmethod
    def back(tensor, y):
        array = tensor.numpy()
        return array.view(y.dtype) if array.dtype != y.dtype else array


class TensorFlowOneDnn(TensorFlow):
    name, title = "tensorflow-onednn", "TensorFlow with oneDNN"
    given = "the same with TF_ENABLE_ONEDNN_OPTS=1, its default on many CPUs"
    environment = {"TF_ENABLE_ONEDNN_OPTS": "1"}


class TensorFlowLite(TensorFlow):
    name, title = "xnnpack", "XNNPACK (TensorFlow Lite)"
    given = (
        "the same function converted, run by the Lite interpreter, whose default delegate is XNNPACK; input and "
        "output in its own memory, one interpreter per pair of buffers"
    )
    dtypes = ("f32",)
    variants = ("",)

    def __init__(self, setup):
        super().__init__(setup)
        self.threads = setup.threads
        if not hasattr(self.tf, "lite"):
            raise Missing("this TensorFlow has no Lite interpreter")

    def compile(self, case, kernel, variant):
        lite = self.tf.lite
        model = lite.TFLiteConverter.from_concrete_functions([self.function(case, kernel)]).convert()

        def bind(x, y):
            interpreter = lite.Interpreter(model_content=model, num_threads=self.threads)
            interpreter.allocate_tensors()
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
            index = interpreter.get_output_details()[0]["index"]
            return interpreter.invoke, lambda: interpreter.get_tensor(index)

        return bind


# ---- ncnn ------------------------------------------------------------------------------------------------------------


class Ncnn(Peer):
    name, title = "ncnn", "ncnn"
    given = (
        "a net of one ConvolutionDepthWise in float32, packed layout on; takes planes of one image, so a batch is"
        " a loop over its images; allocates each output from a pool"
    )
    layouts = ("nchw",)
    requires = ("ncnn", "numpy")

    def __init__(self, setup):
        import ncnn

        self.ncnn, self.threads, self.version = ncnn, setup.threads, ncnn.__version__
        self.pool = ncnn.UnlockedPoolAllocator()

    def compile(self, case, kernel, variant):
        net = self.ncnn.Net()
        net.opt.num_threads = self.threads
        net.opt.use_vulkan_compute = False
        for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(net.opt, option, False)
        net.opt.blob_allocator = self.pool
        top, bottom, left, right = case.pads
        values = {
            0: case.c * case.m,
            1: case.kw,
            11: case.kh,
            2: case.dw,
            12: case.dh,
            3: case.sw,
            13: case.sh,
            4: left,
            14: top,
            15: right,
            16: bottom,
            5: 0,
            6: kernel.size,
            7: case.c,
        }
        layer = " ".join(f"{key}={value}" for key, value in values.items())
        with tempfile.TemporaryDirectory() as folder:
            weights = pathlib.Path(folder) / "weights.bin"
            weights.write_bytes(struct.pack("<I", 0) + groups_first(kernel).tobytes())
            net.load_param_mem(f"7767517\n2 2\nInput in 0 1 x\nConvolutionDepthWise layer 1 1 x y {layer}\n")
            if net.load_model(str(weights)):
                raise Refused("does not load the layer")

        def bind(x, y):
            images, slots = [self.ncnn.Mat(image) for image in x], [None] * len(x)

            def run():
                for i, image in enumerate(images):
                    extractor = net.create_extractor()
                    extractor.input("x", image)
                    slots[i] = extractor.extract("y")[1]

            run.keeps = x
            return run, lambda: numpy.stack([numpy.array(slot) for slot in slots])

        return bind


def first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


PEERS = {
    peer.name: peer
    for peer in (OneDnn, Torch, OnnxRuntime, OpenVino, TensorFlow, TensorFlowOneDnn, TensorFlowLite, Ncnn)
}
