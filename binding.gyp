{
  "variables": {
    "warnings": ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-psabi"]
  },
  "target_defaults": {
    "include_dirs": ["native"],
    "cflags!": ["-O2"],
    "cflags": ["-O3", "-fPIC", "-fopenmp", "-fvisibility=hidden", "<@(warnings)"],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": ["-std=c++17"]
  },
  "targets": [
    {
      # The fingerprint by which the addon knows a CUDA shared object of the same sources.
      "target_name": "abi",
      "type": "none",
      "hard_dependency": 1,
      "actions": [
        {
          "action_name": "abi_header",
          "inputs": ["native/sources.cjs", "<!@(node native/sources.cjs headers)"],
          "outputs": ["<(SHARED_INTERMEDIATE_DIR)/voxelspark_abi.h"],
          "action": ["node", "native/sources.cjs", "abi", "<@(_outputs)"]
        }
      ]
    },
    {
      "target_name": "voxelspark",
      "sources": ["<!@(node native/sources.cjs main)"],
      "include_dirs": ["<(SHARED_INTERMEDIATE_DIR)"],
      "dependencies": [
        "abi",
        "<!(node -p \"require('node-addon-api').targets\"):node_addon_api_except_all",
        "simd_scalar"
      ],
      "defines": ["NAPI_VERSION=8", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS", "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED"],
      "ldflags": ["-fopenmp", "-Wl,-z,nodelete"],
      "libraries": ["-ldl"],
      "conditions": [["target_arch=='x64'", { "dependencies": ["simd_avx2", "simd_avx512"] }]]
    },
    {
      "target_name": "simd_scalar",
      "type": "static_library",
      "sources": ["<!@(node native/sources.cjs simd)"],
      "defines": ["VOXELSPARK_ISA=scalar"]
    },
    {
      "target_name": "simd_avx2",
      "type": "static_library",
      "sources": ["<!@(node native/sources.cjs simd)"],
      "defines": ["VOXELSPARK_ISA=avx2"],
      "cflags": ["-mavx2", "-mfma"]
    },
    {
      "target_name": "simd_avx512",
      "type": "static_library",
      "sources": ["<!@(node native/sources.cjs simd)"],
      "defines": ["VOXELSPARK_ISA=avx512"],
      "cflags": ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mfma", "-mprefer-vector-width=512"]
    }
  ]
}
