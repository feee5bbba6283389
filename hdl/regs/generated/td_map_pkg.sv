// Made by hdl/regs/generate.py from teiden_frontend.rdl; do not edit.
package td_map_pkg;
  localparam logic [31:0] MapHash = 32'h31A34A5D;
endpackage
