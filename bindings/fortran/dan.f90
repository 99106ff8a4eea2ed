! SPDX-License-Identifier: BSD-3-Clause
! The library from Fortran: the functions of dan.h as a type.
!
!   use dan
!   type(dan_method) :: method
!   call method%open('lorenz96', 'enkf-n:members=20')
!   call method%start(guess, 1d0, 1_8)
!   do
!     call method%forecast()
!     call method%analyse(values)
!     call method%estimate(x)
!   end do
!   call method%close()
!
! A method may have several runs side by side, `call method%open('lorenz96', 'etkf', runs=8)`: arrays
! then have one more dimension at the end, guess(size, runs).
!
! Every procedure takes an optional `status`, 0 if all is well; without it an error stops the program
! with the message (see also dan_message). A method is not copied: assignment, which would make two
! owners of one, stops the program. What a name may be, and what each procedure does, is said in dan.h.
module dan
  use, intrinsic :: iso_c_binding
  implicit none
  private
  public :: dan_method, dan_message, dan_version, dan_step

  abstract interface
    !> y = M(x), one cycle of one state of as many numbers as the problem has.
    subroutine dan_step(x, y, user) bind(c)
      import :: c_double, c_ptr
      real(c_double), intent(in) :: x(*)
      real(c_double), intent(out) :: y(*)
      type(c_ptr), value :: user
    end subroutine dan_step
  end interface

  type :: dan_method
    private
    type(c_ptr) :: handle = c_null_ptr
  contains
    procedure :: open => open_method
    procedure :: close => close_method
    procedure :: runs => runs_of
    procedure :: size => size_of
    procedure :: slots
    procedure :: coordinates
    procedure :: states
    procedure :: cycle => cycle_of
    procedure, private :: start_one, start_runs, analyse_one, analyse_runs
    procedure, private :: estimate_one, estimate_runs, spread_one, spread_runs
    generic :: start => start_one, start_runs
    procedure :: start_from_climate
    procedure :: forecast
    generic :: analyse => analyse_one, analyse_runs
    generic :: estimate => estimate_one, estimate_runs
    generic :: spread => spread_one, spread_runs
    procedure :: state => state_of
    procedure :: set_state
    procedure :: save => save_state
    procedure :: load => load_state
    procedure, private :: refuse_copy
    generic :: assignment(=) => refuse_copy
  end type dan_method

  interface
    function c_message() bind(c, name='dan_message') result(text)
      import :: c_ptr
      type(c_ptr) :: text
    end function c_message
    function c_refuse_size(name, found, expected) bind(c, name='dan_refuse_size') result(status)
      import :: c_int, c_char, c_size_t
      character(kind=c_char), intent(in) :: name(*)
      integer(c_size_t), value :: found, expected
      integer(c_int) :: status
    end function c_refuse_size
    function c_version() bind(c, name='dan_version') result(text)
      import :: c_ptr
      type(c_ptr) :: text
    end function c_version
    function c_open(problem, method, runs, step, user, opened) bind(c, name='dan_open_runs') &
      result(status)
      import :: c_int, c_char, c_ptr, c_funptr, c_size_t
      character(kind=c_char), intent(in) :: problem(*), method(*)
      integer(c_size_t), value :: runs
      type(c_funptr), value :: step
      type(c_ptr), value :: user
      type(c_ptr), intent(out) :: opened
      integer(c_int) :: status
    end function c_open
    subroutine c_close(method) bind(c, name='dan_close')
      import :: c_ptr
      type(c_ptr), value :: method
    end subroutine c_close
    function c_runs(method) bind(c, name='dan_runs') result(count)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: method
      integer(c_size_t) :: count
    end function c_runs
    function c_size(method) bind(c, name='dan_size') result(count)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: method
      integer(c_size_t) :: count
    end function c_size
    function c_slots(method) bind(c, name='dan_slots') result(count)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: method
      integer(c_size_t) :: count
    end function c_slots
    function c_coordinates(method) bind(c, name='dan_coordinates') result(count)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: method
      integer(c_size_t) :: count
    end function c_coordinates
    function c_states(method) bind(c, name='dan_states') result(count)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: method
      integer(c_size_t) :: count
    end function c_states
    function c_cycle(method) bind(c, name='dan_cycle') result(count)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: method
      integer(c_size_t) :: count
    end function c_cycle
    function c_start(method, guess, deviation, seed) bind(c, name='dan_start') result(status)
      import :: c_int, c_ptr, c_double, c_int64_t
      type(c_ptr), value :: method
      real(c_double), intent(in) :: guess(*)
      real(c_double), value :: deviation
      integer(c_int64_t), value :: seed
      integer(c_int) :: status
    end function c_start
    function c_start_from_climate(method, seed) bind(c, name='dan_start_from_climate') result(status)
      import :: c_int, c_ptr, c_int64_t
      type(c_ptr), value :: method
      integer(c_int64_t), value :: seed
      integer(c_int) :: status
    end function c_start_from_climate
    function c_forecast(method) bind(c, name='dan_forecast') result(status)
      import :: c_int, c_ptr
      type(c_ptr), value :: method
      integer(c_int) :: status
    end function c_forecast
    function c_analyse(method, values, variances, places) bind(c, name='dan_analyse') result(status)
      import :: c_int, c_ptr, c_double
      type(c_ptr), value :: method
      real(c_double), intent(in) :: values(*)
      type(c_ptr), value :: variances, places
      integer(c_int) :: status
    end function c_analyse
    function c_estimate(method, x) bind(c, name='dan_estimate') result(status)
      import :: c_int, c_ptr, c_double
      type(c_ptr), value :: method
      real(c_double), intent(out) :: x(*)
      integer(c_int) :: status
    end function c_estimate
    function c_spread(method, spread) bind(c, name='dan_spread') result(status)
      import :: c_int, c_ptr, c_double
      type(c_ptr), value :: method
      real(c_double), intent(out) :: spread(*)
      integer(c_int) :: status
    end function c_spread
    function c_state(method, n, x) bind(c, name='dan_state') result(status)
      import :: c_int, c_ptr, c_double, c_size_t
      type(c_ptr), value :: method
      integer(c_size_t), value :: n
      real(c_double), intent(out) :: x(*)
      integer(c_int) :: status
    end function c_state
    function c_set_state(method, n, x) bind(c, name='dan_set_state') result(status)
      import :: c_int, c_ptr, c_double, c_size_t
      type(c_ptr), value :: method
      integer(c_size_t), value :: n
      real(c_double), intent(in) :: x(*)
      integer(c_int) :: status
    end function c_set_state
    function c_save(method, file) bind(c, name='dan_save') result(status)
      import :: c_int, c_ptr, c_char
      type(c_ptr), value :: method
      character(kind=c_char), intent(in) :: file(*)
      integer(c_int) :: status
    end function c_save
    function c_load(method, file, seed) bind(c, name='dan_load') result(status)
      import :: c_int, c_ptr, c_char
      type(c_ptr), value :: method, seed
      character(kind=c_char), intent(in) :: file(*)
      integer(c_int) :: status
    end function c_load
    function c_strlen(text) bind(c, name='strlen') result(length)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: text
      integer(c_size_t) :: length
    end function c_strlen
  end interface

contains

  !> What went wrong in the last call that did not end with status 0.
  function dan_message() result(text)
    character(:), allocatable :: text
    text = text_of(c_message())
  end function dan_message

  function dan_version() result(text)
    character(:), allocatable :: text
    text = text_of(c_version())
  end function dan_version

  function text_of(pointer) result(text)
    type(c_ptr), intent(in) :: pointer
    character(:), allocatable :: text
    character(kind=c_char), pointer :: letters(:)
    integer :: i
    call c_f_pointer(pointer, letters, [c_strlen(pointer)])
    allocate (character(size(letters)) :: text)
    do i = 1, size(letters)
      text(i:i) = letters(i)
    end do
  end function text_of

  !> Hands on the status, or stops the program if nobody asks for it.
  subroutine finish(found, status)
    integer(c_int), intent(in) :: found
    integer, intent(out), optional :: status
    if (present(status)) then
      status = found
    else if (found /= 0) then
      write (0, '(2a)') 'dan: ', dan_message()
      error stop 1
    end if
  end subroutine finish

  !> Whether an array is as long as it must be; else says so and ends with status 1.
  logical function fits(name, found, expected, status)
    character(*), intent(in) :: name
    integer, intent(in) :: found
    integer, intent(in) :: expected
    integer, intent(out), optional :: status
    fits = found == expected
    if (.not. fits) call finish(c_refuse_size(name//c_null_char, int(found, c_size_t), &
                                              int(expected, c_size_t)), status)
  end function fits

  !> The same of every dimension.
  logical function fit(name, found, expected, status)
    character(*), intent(in) :: name
    integer, intent(in) :: found(:), expected(:)
    integer, intent(out), optional :: status
    integer :: i
    fit = .false.
    do i = 1, size(found)
      if (.not. fits(name, found(i), expected(i), status)) return
    end do
    fit = .true.
  end function fit

  subroutine open_method(self, problem, method, step, user, status, runs)
    class(dan_method), intent(inout) :: self
    character(*), intent(in) :: problem, method
    procedure(dan_step), optional :: step
    type(c_ptr), intent(in), optional :: user
    integer, intent(out), optional :: status
    integer, intent(in), optional :: runs
    type(c_funptr) :: call_back
    type(c_ptr) :: handed_on
    integer(c_size_t) :: side_by_side
    call self%close()
    call_back = c_null_funptr
    if (present(step)) call_back = c_funloc(step)
    handed_on = c_null_ptr
    if (present(user)) handed_on = user
    side_by_side = 1
    if (present(runs)) side_by_side = int(runs, c_size_t)
    call finish(c_open(trim(problem)//c_null_char, trim(method)//c_null_char, side_by_side, call_back, &
                       handed_on, self%handle), status)
  end subroutine open_method

  subroutine refuse_copy(to, from)
    class(dan_method), intent(inout) :: to
    class(dan_method), intent(in) :: from
    if (c_associated(from%handle) .or. c_associated(to%handle)) then
      write (0, '(a)') 'dan: a method cannot be assigned, expected open or load'
      error stop 1
    end if
  end subroutine refuse_copy

  subroutine close_method(self)
    class(dan_method), intent(inout) :: self
    call c_close(self%handle)
    self%handle = c_null_ptr
  end subroutine close_method

  integer function runs_of(self)
    class(dan_method), intent(in) :: self
    runs_of = int(c_runs(self%handle))
  end function runs_of
  integer function size_of(self)
    class(dan_method), intent(in) :: self
    size_of = int(c_size(self%handle))
  end function size_of
  integer function slots(self)
    class(dan_method), intent(in) :: self
    slots = int(c_slots(self%handle))
  end function slots
  integer function coordinates(self)
    class(dan_method), intent(in) :: self
    coordinates = int(c_coordinates(self%handle))
  end function coordinates
  integer function states(self)
    class(dan_method), intent(in) :: self
    states = int(c_states(self%handle))
  end function states
  integer function cycle_of(self)
    class(dan_method), intent(in) :: self
    cycle_of = int(c_cycle(self%handle))
  end function cycle_of

  subroutine start_one(self, guess, deviation, seed, status)
    class(dan_method), intent(in) :: self
    real(c_double), intent(in) :: guess(:), deviation
    integer(c_int64_t), intent(in) :: seed
    integer, intent(out), optional :: status
    if (.not. fits('guess', size(guess), self%size()*self%runs(), status)) return
    call finish(c_start(self%handle, guess, deviation, seed), status)
  end subroutine start_one

  !> guess: size × runs.
  subroutine start_runs(self, guess, deviation, seed, status)
    class(dan_method), intent(in) :: self
    real(c_double), intent(in) :: guess(:, :), deviation
    integer(c_int64_t), intent(in) :: seed
    integer, intent(out), optional :: status
    if (.not. fit('guess', shape(guess), [self%size(), self%runs()], status)) return
    call finish(c_start(self%handle, guess, deviation, seed), status)
  end subroutine start_runs

  subroutine start_from_climate(self, seed, status)
    class(dan_method), intent(in) :: self
    integer(c_int64_t), intent(in) :: seed
    integer, intent(out), optional :: status
    call finish(c_start_from_climate(self%handle, seed), status)
  end subroutine start_from_climate

  subroutine forecast(self, status)
    class(dan_method), intent(in) :: self
    integer, intent(out), optional :: status
    call finish(c_forecast(self%handle), status)
  end subroutine forecast

  !> places: coordinates × slots.
  subroutine analyse_one(self, values, variances, places, status)
    class(dan_method), intent(in) :: self
    real(c_double), intent(in) :: values(:)
    real(c_double), intent(in), contiguous, target, optional :: variances(:), places(:, :)
    integer, intent(out), optional :: status
    type(c_ptr) :: of_errors, of_places
    of_errors = c_null_ptr
    of_places = c_null_ptr
    if (.not. fits('values', size(values), self%slots()*self%runs(), status)) return
    if (present(variances)) then
      if (.not. fits('variances', size(variances), size(values), status)) return
      of_errors = c_loc(variances)
    end if
    if (present(places)) then
      if (.not. fits('places', size(places), size(values)*self%coordinates(), status)) return
      of_places = c_loc(places)
    end if
    call finish(c_analyse(self%handle, values, of_errors, of_places), status)
  end subroutine analyse_one

  !> values, variances: slots × runs; places: coordinates × slots × runs.
  subroutine analyse_runs(self, values, variances, places, status)
    class(dan_method), intent(in) :: self
    real(c_double), intent(in) :: values(:, :)
    real(c_double), intent(in), contiguous, target, optional :: variances(:, :), places(:, :, :)
    integer, intent(out), optional :: status
    type(c_ptr) :: of_errors, of_places
    of_errors = c_null_ptr
    of_places = c_null_ptr
    if (.not. fit('values', shape(values), [self%slots(), self%runs()], status)) return
    if (present(variances)) then
      if (.not. fit('variances', shape(variances), shape(values), status)) return
      of_errors = c_loc(variances)
    end if
    if (present(places)) then
      if (.not. fit('places', shape(places), [self%coordinates(), shape(values)], status)) return
      of_places = c_loc(places)
    end if
    call finish(c_analyse(self%handle, values, of_errors, of_places), status)
  end subroutine analyse_runs

  subroutine estimate_one(self, x, status)
    class(dan_method), intent(in) :: self
    real(c_double), intent(out) :: x(:)
    integer, intent(out), optional :: status
    if (.not. fits('x', size(x), self%size()*self%runs(), status)) return
    call finish(c_estimate(self%handle, x), status)
  end subroutine estimate_one

  !> x: size × runs.
  subroutine estimate_runs(self, x, status)
    class(dan_method), intent(in) :: self
    real(c_double), intent(out) :: x(:, :)
    integer, intent(out), optional :: status
    if (.not. fit('x', shape(x), [self%size(), self%runs()], status)) return
    call finish(c_estimate(self%handle, x), status)
  end subroutine estimate_runs

  subroutine spread_one(self, spread, status)
    class(dan_method), intent(in) :: self
    real(c_double), intent(out) :: spread
    integer, intent(out), optional :: status
    real(c_double) :: one(1)
    one = 0
    if (.not. fits('spread', 1, self%runs(), status)) return
    call finish(c_spread(self%handle, one), status)
    spread = one(1)
  end subroutine spread_one

  !> A number for each run.
  subroutine spread_runs(self, spread, status)
    class(dan_method), intent(in) :: self
    real(c_double), intent(out) :: spread(:)
    integer, intent(out), optional :: status
    if (.not. fits('spread', size(spread), self%runs(), status)) return
    call finish(c_spread(self%handle, spread), status)
  end subroutine spread_runs

  !> State n of the forecast, 1 ≤ n ≤ runs · states.
  subroutine state_of(self, n, x, status)
    class(dan_method), intent(in) :: self
    integer, intent(in) :: n
    real(c_double), intent(out) :: x(:)
    integer, intent(out), optional :: status
    if (.not. fits('x', size(x), self%size(), status)) return
    call finish(c_state(self%handle, int(n - 1, c_size_t), x), status)
  end subroutine state_of

  subroutine set_state(self, n, x, status)
    class(dan_method), intent(in) :: self
    integer, intent(in) :: n
    real(c_double), intent(in) :: x(:)
    integer, intent(out), optional :: status
    if (.not. fits('x', size(x), self%size(), status)) return
    call finish(c_set_state(self%handle, int(n - 1, c_size_t), x), status)
  end subroutine set_state

  subroutine save_state(self, file, status)
    class(dan_method), intent(in) :: self
    character(*), intent(in) :: file
    integer, intent(out), optional :: status
    call finish(c_save(self%handle, trim(file)//c_null_char), status)
  end subroutine save_state

  !> seed: for a file of an earlier version, which does not know that of its start.
  subroutine load_state(self, file, seed, status)
    class(dan_method), intent(in) :: self
    character(*), intent(in) :: file
    integer(c_int64_t), intent(in), target, optional :: seed
    integer, intent(out), optional :: status
    type(c_ptr) :: given
    given = c_null_ptr
    if (present(seed)) given = c_loc(seed)
    call finish(c_load(self%handle, trim(file)//c_null_char, given), status)
  end subroutine load_state

end module dan
