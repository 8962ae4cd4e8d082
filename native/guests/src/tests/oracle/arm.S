@ run_case(in, out, code): loads the state, goes to the code, stores the state where the code comes back. All registers
@ are the case's, so what is needed is in this section, which can be written.
    .syntax unified
    .arch armv7-a
    .fpu neon-vfpv4
    .section .case, "awx", %progbits
    .arm
    .globl run_case, case_done
run_case:
    push {r4-r11, lr}
    vpush {d8-d15}
    str sp, old_sp
    str r1, result
    str r2, target
    ldr r3, [r0, #64]
    msr cpsr_f, r3
    ldr r3, [r0, #68]
    vmsr fpscr, r3
    add r3, r0, #80
    vldmia r3!, {d0-d15}
    vldmia r3, {d16-d31}
    ldr sp, [r0, #52]
    ldr lr, [r0, #56]
    ldmia r0, {r0-r12}
    ldr pc, target
case_done:
    str r0, first
    ldr r0, result
    stmib r0, {r1-r12}
    str sp, [r0, #52]
    str lr, [r0, #56]
    ldr r1, first
    str r1, [r0]
    mrs r1, cpsr
    str r1, [r0, #64]
    vmrs r1, fpscr
    str r1, [r0, #68]
    add r3, r0, #80
    vstmia r3!, {d0-d15}
    vstmia r3, {d16-d31}
    mov r1, #0
    vmsr fpscr, r1
    ldr sp, old_sp
    vpop {d8-d15}
    pop {r4-r11, pc}
old_sp: .word 0
result: .word 0
target: .word 0
first: .word 0
    .section .note.GNU-stack, "", %progbits
